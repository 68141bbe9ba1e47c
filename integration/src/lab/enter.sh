# Makes a runner's root file system into a machine of its own, then runs a command there as process 1.
# Arguments: ROOT NAME REPO ADDRESS|none COMMAND...
# Called as root in fresh mount, pid, uts, ipc and net namespaces. With an address, one line on stdin says that eth0 is there.
set -eu
root=$1 name=$2 repo=$3 address=$4
shift 4

hostname "$name"
# Nothing of what follows shows outside: the lab's mount, the parent of all of it, is private. In a plain chroot / is no mount and stays as it is.
mount --make-rprivate / 2>/dev/null || :
# snapper wants / to be a mount point.
mount --bind "$root" "$root"
cd "$root"
mount -t proc proc proc
mount -t tmpfs -o mode=755 tmpfs dev
for node in 'null 1 3' 'zero 1 5' 'full 1 7' 'random 1 8' 'urandom 1 9' 'tty 5 0'; do
    # shellcheck disable=SC2086
    set -- $node -- "$@"
    mknod -m 666 "dev/$1" c "$2" "$3"
    shift 4
done
mkdir -p dev/pts dev/shm srv/lab
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts dev/pts
mount -t tmpfs -o mode=1777 tmpfs dev/shm
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
mount -t tmpfs -o mode=755 tmpfs run
mkdir -p run/sshd run/lock
mount --bind "$repo" srv/lab
# The host's own kernel has no Fedora release; what `uname -r` reads from is a file of the runner.
if [ -e etc/lab/osrelease ]; then
    mount --bind etc/lab/osrelease proc/sys/kernel/osrelease
fi
if [ "$address" != none ]; then
    printf '127.0.0.1 localhost\n%s %s\n' "$address" "$name" >etc/hosts
    read -r _
    ip link set lo up
    ip address add "$address/24" dev eth0
    ip link set eth0 up
fi
# With a root of its own where the kernel lets us (not inside a plain chroot), the runner holds no mount of the host.
leave=:
if pivot_root . mnt 2>/dev/null; then
    leave='umount -l /mnt'
fi
exec chroot . /bin/sh -c "cd /; $leave; exec \"\$@\"" enter "$@" </dev/null
