# The full-size package set. Argument: build (in the workshop) | install (on the runner).
set -eu
export LC_ALL=C HOME=/root
cd /srv/lab/workstation
case $1 in
build)
    rpmbuild --quiet -bb --define='_rpmformat 4' --define='debug_package %{nil}' --define='_rpmdir /srv/lab/workstation' \
        --define='_rpmfilename %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm' workstation.spec
    createrepo_c --quiet .
    ;;
install)
    # What the metapackage requires gets the reason "Dependency", as on a machine installed from a group.
    dnf5 -y --enablerepo=workstation --setopt=tsflags=justdb install workstation
    dnf5 -y makecache
    ;;
esac
