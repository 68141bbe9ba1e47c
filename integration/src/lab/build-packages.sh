# Builds every spec under /srv/lab/specs, signs what its repo requires to be signed, and makes the repos. Runs in a root file system of its own.
set -eu
export LC_ALL=C HOME=/root
cd /srv/lab
# Version 4 packages: what Fedora ships, and what rpm 4 can read.
define='--define=_rpmformat 4'
for arch in noarch x86_64 i686; do
    target=$arch
    [ "$arch" = noarch ] && target=x86_64
    for repo in fedora updates extra loose; do
        # shellcheck disable=SC2046
        set -- $(find specs -name "$repo-*.$arch.spec" | sort)
        [ $# -gt 0 ] || continue
        rpmbuild --quiet -bb --target "$target" "$define" --define='debug_package %{nil}' --define='__os_install_post %{nil}' \
            --define='_build_id_links none' --define="_rpmdir /srv/lab/$repo" --define='_rpmfilename %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm' "$@"
    done
done
gpg --batch --quiet --passphrase '' --quick-gen-key 'Lab <lab@example.org>' rsa3072 sign never
gpg --export --armor Lab >RPM-GPG-KEY-lab
rpmsign --define '_gpg_name Lab' --addsign fedora/*.rpm updates/*.rpm loose/*.rpm
for repo in fedora updates extra; do
    createrepo_c --quiet "$repo"
done
