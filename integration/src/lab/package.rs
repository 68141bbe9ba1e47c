//! The packages of the lab: what the nine build runners of the incident had, and what the updates repo offered.

/// One binary package, built by its own spec.
#[derive(Debug, Clone, Copy)]
pub struct Package {
    /// The repo directory that it goes to; `loose` is in no repo, as a vendor's download is.
    pub repo: &'static str,
    /// Name.
    pub name: &'static str,
    /// Epoch, 0 for none.
    pub epoch: u32,
    /// Version.
    pub version: &'static str,
    /// Release.
    pub release: &'static str,
    /// `noarch`, `x86_64` or `i686`.
    pub arch: &'static str,
    /// More spec lines: dependencies in the preamble, scriptlets.
    pub lines: &'static [&'static str],
}

const fn package(
    repo: &'static str,
    name: &'static str,
    epoch: u32,
    version: &'static str,
    release: &'static str,
    arch: &'static str,
    lines: &'static [&'static str],
) -> Package {
    Package { repo, name, epoch, version, release, arch, lines }
}

const EXACT_LLVM_LIBS: &[&str] = &["Requires: llvm-libs = %{version}-%{release}"];
const GLIBC: &[&str] = &["Requires: glibc"];
/// As Fedora's kernel packages say that several may be installed at once.
const INSTALL_ONLY: &[&str] = &["Provides: installonlypkg(kernel)"];
/// Holds dnf inside the transaction until somebody writes to the pipe, or dnf dies.
const BLOCKS: &[&str] = &[
    "Requires: strace",
    "Requires(pre): strace",
    "%%pre",
    "[ -p /var/lib/lab/blocking-pre ] && read -r line </var/lib/lab/blocking-pre",
    "exit 0",
];

/// Every package that is signed and in `fedora` or `updates`, the unsigned ones in `extra`, and those in no repo.
pub const PACKAGES: &[Package] = &[
    package(
        "fedora",
        "fedora-release-common",
        0,
        "41",
        "27",
        "noarch",
        &["Provides: system-release = 41", "Provides: system-release(releasever) = 41"],
    ),
    package("fedora", "bash", 0, "5.2.32", "1.fc41", "x86_64", &["Requires: glibc", "Provides: /bin/sh"]),
    package("fedora", "glibc", 0, "2.40", "3.fc41", "x86_64", &["Requires: glibc-common = %{version}-%{release}"]),
    package("fedora", "glibc", 0, "2.40", "3.fc41", "i686", &["Requires: glibc-common = %{version}-%{release}"]),
    package("fedora", "glibc", 0, "2.40", "3.fc41", "x86_64", &["Requires: glibc-common = %{version}-%{release}"]),
    package("fedora", "glibc", 0, "2.40", "3.fc41", "i686", &["Requires: glibc-common = %{version}-%{release}"]),
    package("fedora", "glibc-common", 0, "2.40", "3.fc41", "x86_64", &[]),
    package("fedora", "gcc", 0, "14.2.1", "3.fc41", "x86_64", GLIBC),
    package("fedora", "gcc-toolset-13", 0, "13.0", "2.fc41", "noarch", &["Requires: gcc-toolset-13-runtime"]),
    package("fedora", "gcc-toolset-13-runtime", 0, "13.0", "2.fc41", "x86_64", GLIBC),
    package("fedora", "llvm", 0, "19.1.0", "1.fc41", "x86_64", EXACT_LLVM_LIBS),
    package("fedora", "llvm-libs", 0, "19.1.0", "1.fc41", "x86_64", GLIBC),
    package("fedora", "clang-tools-extra", 0, "19.1.0", "1.fc41", "x86_64", EXACT_LLVM_LIBS),
    package("updates", "llvm", 0, "20.1.0", "1.fc41", "x86_64", EXACT_LLVM_LIBS),
    package("updates", "llvm-libs", 0, "20.1.0", "1.fc41", "x86_64", GLIBC),
    package("updates", "clang-tools-extra", 0, "20.1.0", "1.fc41", "x86_64", EXACT_LLVM_LIBS),
    package("fedora", "htop", 0, "3.3.0", "4.fc41", "x86_64", GLIBC),
    package("updates", "htop", 0, "3.3.0", "5.fc41", "x86_64", GLIBC),
    package("fedora", "strace", 0, "6.11", "1.fc41", "x86_64", GLIBC),
    package("updates", "strace", 0, "6.12", "1.fc41", "x86_64", GLIBC),
    package("fedora", "nodejs", 1, "20.18.0", "1.fc41", "x86_64", &["Recommends: nodejs-npm"]),
    package("fedora", "nodejs-npm", 1, "10.8.2", "1.20.18.0.1.fc41", "x86_64", &[]),
    package("updates", "nodejs", 1, "22.11.0", "1.fc41", "x86_64", &["Recommends: nodejs-npm"]),
    package("fedora", "mlib", 0, "1.0", "1.fc41", "x86_64", GLIBC),
    package("fedora", "mlib", 0, "1.0", "1.fc41", "i686", GLIBC),
    package("updates", "mlib", 0, "1.1", "1.fc41", "x86_64", GLIBC),
    package("updates", "mlib", 0, "1.1", "1.fc41", "i686", GLIBC),
    package("fedora", "kernel-core", 0, "6.11.4", "301.fc41", "x86_64", INSTALL_ONLY),
    package("fedora", "kernel-devel", 0, "6.11.4", "301.fc41", "x86_64", INSTALL_ONLY),
    package("updates", "kernel-core", 0, "6.11.5", "300.fc41", "x86_64", INSTALL_ONLY),
    package("updates", "kernel-devel", 0, "6.11.5", "300.fc41", "x86_64", INSTALL_ONLY),
    package("updates", "kernel-core", 0, "6.11.6", "300.fc41", "x86_64", INSTALL_ONLY),
    package("updates", "kernel-devel", 0, "6.11.6", "300.fc41", "x86_64", INSTALL_ONLY),
    package("updates", "kernel-core", 0, "6.11.10", "300.fc41", "x86_64", INSTALL_ONLY),
    package("updates", "kernel-devel", 0, "6.11.10", "300.fc41", "x86_64", INSTALL_ONLY),
    package("fedora", "blocking-pre", 0, "1.0", "1.fc41", "noarch", BLOCKS),
    package("extra", "vendor-tool", 0, "2.4", "1", "noarch", &[]),
    package("extra", "htop", 0, "3.3.0", "5.fc41", "x86_64", GLIBC),
    package("loose", "site-agent", 0, "7.1", "1", "noarch", &[]),
];

/// What every runner starts with, as arguments of `dnf install`.
pub const BASE: &[&str] = &[
    "fedora-release-common",
    "bash",
    "gcc",
    "llvm-19.1.0-1.fc41",
    "clang-tools-extra-19.1.0-1.fc41",
    "htop-3.3.0-4.fc41",
    "nodejs-1:20.18.0-1.fc41",
    "kernel-core-6.11.4-301.fc41",
    "kernel-devel-6.11.4-301.fc41",
];

impl Package {
    /// The file name of its spec, unique per build.
    pub(super) fn spec_name(&self) -> String {
        format!("{}-{}-{}-{}.{}.spec", self.repo, self.name, self.version, self.release, self.arch)
    }

    /// Its spec. The one file inside is named after the version, so that several kernels fit on one disk.
    pub(super) fn spec(&self) -> String {
        let (preamble, scriptlets): (Vec<&str>, Vec<&str>) =
            match self.lines.iter().position(|line| line.starts_with("%%")) {
                Some(at) => (self.lines[..at].to_vec(), self.lines[at..].to_vec()),
                None => (self.lines.to_vec(), Vec::new()),
            };
        let noarch = if self.arch == "noarch" { "BuildArch: noarch\n" } else { "" };
        let epoch = if self.epoch == 0 { String::new() } else { format!("Epoch: {}\n", self.epoch) };
        format!(
            "Name: {name}\n{epoch}Version: {version}\nRelease: {release}\nSummary: {name} of the lab\nLicense: MIT\nVendor: Lab\n\
             AutoReqProv: no\n{noarch}{preamble}\n\
             %description\n{name} of the lab.\n\
             %install\nmkdir -p %{{buildroot}}/opt/lab\necho {version}-{release} >%{{buildroot}}/opt/lab/{name}-{version}-{release}.{arch}\n\
             {scriptlets}\n%files\n/opt/lab/{name}-{version}-{release}.{arch}\n",
            name = self.name,
            version = self.version,
            release = self.release,
            arch = self.arch,
            preamble = preamble.join("\n"),
            scriptlets = scriptlets.join("\n").replace("%%", "%"),
        )
    }
}

/// The `.repo` file of every runner: as Fedora's, signatures are required, but for one repo.
pub(super) fn repo_file() -> String {
    let repo = |id: &str, enabled: u8, signed: u8| {
        let key = if signed == 1 { "gpgkey=file:///srv/lab/RPM-GPG-KEY-lab\n" } else { "" };
        format!(
            "[{id}]\nname={id}\nbaseurl=file:///srv/lab/{id}\nenabled={enabled}\ngpgcheck={signed}\n{key}metadata_expire=never\n\n"
        )
    };
    [repo("fedora", 1, 1), repo("updates", 1, 1), repo("extra", 0, 0), repo("workstation", 0, 0)].concat()
}
