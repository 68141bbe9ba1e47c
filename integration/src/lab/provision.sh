# Turns a fresh root file system into the state that every runner starts from. Argument: dnf5 | dnf4.
set -eu
dnf=$1
export LC_ALL=C

useradd --system --create-home --home-dir /var/lib/countersign-observer --shell /bin/sh --password '*' countersign-observer
useradd --create-home --shell /bin/bash --password '*' builder
echo 'builder ALL=(root) NOPASSWD: /usr/bin/dnf, /usr/bin/dnf4, /usr/bin/dnf5' >/etc/sudoers.d/builder
chmod 440 /etc/sudoers.d/builder
# Debian makes host keys when the server is unpacked; every runner gets its own.
rm -f /etc/ssh/ssh_host_*
# Fedora's name for the configuration directory; Debian's packages know it but do not make it.
mkdir -p /etc/yum.repos.d /etc/lab /var/lib/lab
cp /srv/lab/lab.repo /etc/yum.repos.d/lab.repo
echo 6.11.4-301.fc41.x86_64 >/etc/lab/osrelease
# uname(2) cannot be changed from here, so the program asks the same file as the kernel shows under /proc.
mv /usr/bin/uname /usr/bin/uname.host
cat >/usr/bin/uname <<'UNAME'
#!/bin/sh
[ "$*" = -r ] && exec cat /proc/sys/kernel/osrelease
exec /usr/bin/uname.host "$@"
UNAME
chmod 755 /usr/bin/uname
rm -f /etc/os-release
cat >/etc/os-release <<'RELEASE'
NAME="Fedora Linux"
VERSION="41 (Lab)"
ID=fedora
VERSION_ID=41
PRETTY_NAME="Fedora Linux 41 (Lab)"
PLATFORM_ID="platform:f41"
RELEASE
if [ "$dnf" = dnf4 ]; then
    ln -sf dnf /usr/bin/dnf4
    sed -i 's/^enabled.*/enabled = false/' /etc/dnf/plugins/local.conf
fi
rpmkeys --import /srv/lab/RPM-GPG-KEY-lab
"$dnf" -y install $(cat /srv/lab/base-packages)
"$dnf" -y makecache
