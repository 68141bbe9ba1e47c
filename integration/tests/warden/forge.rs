//! Packages that nobody should trust, made on the spot with rpm's own tools, and repositories for them.

use countersign_integration::lab::{Lab, Runner};
use countersign_manifests_schema::transaction::{Action, Change, Reason};
use sha2::{Digest as _, Sha256};

/// A repository of a test: `/srv/lab/NAME`, seen by every runner of the lab.
pub(crate) struct Forge<'r> {
    lab: &'r Lab,
    /// Where packages are built and signed: rpm, gpg and createrepo_c are there.
    workshop: &'r Runner,
    name: &'static str,
}

impl<'r> Forge<'r> {
    /// An empty signed repository, which every runner takes packages from.
    pub(crate) fn new(lab: &'r Lab, workshop: &'r Runner, name: &'static str) -> Self {
        let forge = Self { lab, workshop, name };
        workshop
            .sh(&format!(
                "mkdir -p /srv/lab/{name} && cd /srv/lab/{name} && export HOME=/root && \
                 (gpg --list-keys Test >/dev/null 2>&1 || \
                  gpg --batch --quiet --passphrase '' --quick-gen-key 'Test <test@example.org>' rsa3072 sign never 2>/dev/null) && \
                 gpg --export --armor Test >key && createrepo_c -q ."
            ))
            .unwrap();
        let repo = format!(
            "[{name}]\nname={name}\nbaseurl=file:///srv/lab/{name}\nenabled=1\ngpgcheck=1\n\
             gpgkey=file:///srv/lab/{name}/key\nmetadata_expire=0\n"
        );
        for runner in lab.runners() {
            runner.write(&format!("/etc/yum.repos.d/{name}.repo"), &repo, 0o644).unwrap();
            runner.sh(&format!("rpmkeys --import /srv/lab/{name}/key")).unwrap();
        }
        forge
    }

    /// Builds and signs a package without dependencies; `lines` are scriptlets.
    pub(crate) fn build(&self, name: &str, version: &str, release: &str, lines: &str) {
        let dir = self.name;
        let spec = format!(
            "Name: {name}\nVersion: {version}\nRelease: {release}\nSummary: {name}\nLicense: MIT\nAutoReqProv: no\nBuildArch: noarch\n\
             %description\n{name}.\n%install\nmkdir -p %{{buildroot}}/opt/test\necho {name} {version} >%{{buildroot}}/opt/test/{name}\n\
             {lines}\n%files\n/opt/test/{name}\n"
        );
        self.workshop.write(&format!("/root/{name}.spec"), spec, 0o644).unwrap();
        self.workshop
            .sh(&format!(
                "export HOME=/root; rpmbuild --quiet -bb --define='_rpmformat 4' --define='debug_package %{{nil}}' \
                 --define='__os_install_post %{{nil}}' --define='_rpmdir /srv/lab/{dir}' \
                 --define='_rpmfilename %%{{NAME}}-%%{{VERSION}}-%%{{RELEASE}}.%%{{ARCH}}.rpm' /root/{name}.spec && \
                 rpmsign --define '_gpg_name Test' --addsign /srv/lab/{dir}/{name}-{version}-{release}.noarch.rpm >/dev/null"
            ))
            .unwrap();
        self.index();
    }

    /// Makes the repository's metadata anew.
    pub(crate) fn index(&self) {
        self.workshop.sh(&format!("createrepo_c -q /srv/lab/{}", self.name)).unwrap();
    }

    /// Takes the signature off a package.
    pub(crate) fn strip(&self, file: &str) {
        self.workshop.sh(&format!("rpmsign --delsign /srv/lab/{}/{file} >/dev/null", self.name)).unwrap();
        self.index();
    }

    /// Puts one package under the name of another, in the file system and in the metadata.
    pub(crate) fn disguise(&self, inside: &str, outside: &str) {
        let dir = self.lab.repo_dir().join(self.name);
        let file = |name: &str| dir.join(format!("{name}-1.0-1.noarch.rpm"));
        let bytes = std::fs::read(file(inside)).unwrap();
        std::fs::write(file(outside), &bytes).unwrap();
        let (sum, size) = (hex(&bytes), bytes.len());
        let primary = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<metadata xmlns=\"http://linux.duke.edu/metadata/common\" \
             xmlns:rpm=\"http://linux.duke.edu/metadata/rpm\" packages=\"1\"><package type=\"rpm\"><name>{outside}</name>\
             <arch>noarch</arch><version epoch=\"0\" ver=\"1.0\" rel=\"1\"/>\
             <checksum type=\"sha256\" pkgid=\"YES\">{sum}</checksum><summary>x</summary><description>x</description>\
             <packager/><url/><time file=\"1\" build=\"1\"/><size package=\"{size}\" installed=\"1\" archive=\"1\"/>\
             <location href=\"{outside}-1.0-1.noarch.rpm\"/><format><rpm:license>MIT</rpm:license><rpm:vendor/>\
             <rpm:group>x</rpm:group><rpm:buildhost>x</rpm:buildhost><rpm:sourcerpm>x-1-1.src.rpm</rpm:sourcerpm>\
             <rpm:header-range start=\"0\" end=\"1\"/><rpm:provides><rpm:entry name=\"{outside}\" flags=\"EQ\" epoch=\"0\" \
             ver=\"1.0\" rel=\"1\"/></rpm:provides></format></package></metadata>\n"
        );
        let repomd = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<repomd xmlns=\"http://linux.duke.edu/metadata/repo\">\
             <revision>2</revision><data type=\"primary\"><checksum type=\"sha256\">{sum}</checksum>\
             <open-checksum type=\"sha256\">{sum}</open-checksum><location href=\"repodata/primary.xml\"/>\
             <timestamp>2</timestamp><size>{size}</size><open-size>{size}</open-size></data></repomd>\n",
            sum = hex(primary.as_bytes()),
            size = primary.len()
        );
        std::fs::write(dir.join("repodata/primary.xml"), primary).unwrap();
        std::fs::write(dir.join("repodata/repomd.xml"), repomd).unwrap();
    }

    /// The installation of one of its packages, with the sha256 of the file as it is now.
    pub(crate) fn install(&self, name: &str, version: &str) -> Change {
        let nevra = format!("{name}-{version}-1.noarch");
        let bytes = std::fs::read(self.lab.repo_dir().join(self.name).join(format!("{nevra}.rpm"))).unwrap();
        Change {
            nevra,
            action: Action::Install,
            reason: Reason::User,
            repo_id: self.name.to_owned(),
            sha256: Some(hex(&bytes)),
            asserted: false,
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
