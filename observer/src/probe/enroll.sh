#!/bin/sh
# Lets the countersign observer look at @RUNNER@, and do nothing else. Read it, then run it as root on @RUNNER@.
# Running it again changes nothing; what it changes, it says.
set -eu
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH
umask 022
[ "$(id -u)" = 0 ] || { echo 'countersign: run this as root' >&2; exit 1; }

account=@ACCOUNT@
keys=/etc/ssh/countersign-observer.keys
changed=0

say() {
    changed=1
    echo "countersign: $*"
}

# put FILE MODE: makes stdin the content of a file of root's.
put() {
    new=$(mktemp "$1.XXXXXX")
    cat >"$new"
    chmod "$2" "$new"
    if [ -f "$1" ] && [ ! -L "$1" ] && cmp -s "$new" "$1" && [ "$(stat -c '%u %g %a' "$1")" = "0 0 $2" ]; then
        rm -f "$new"
        return
    fi
    mv -f "$new" "$1"
    if command -v restorecon >/dev/null; then restorecon "$1"; fi
    say "wrote $1"
}

# 1. An account without a password, without groups, with a home that it cannot write to. A password of `*` lets keys in;
# one of `!` would lock the account for sshd.
mkdir -p /usr/libexec/countersign
if ! getent passwd "$account" >/dev/null; then
    useradd --system --no-create-home --home-dir /usr/libexec/countersign --shell /bin/sh --password '*' "$account"
    say "made the account $account"
fi
if [ "$(getent passwd "$account" | cut -d : -f 6-7)" != /usr/libexec/countersign:/bin/sh ]; then
    usermod --home /usr/libexec/countersign --shell /bin/sh "$account"
    say "gave $account its home and shell"
fi
if [ "$(getent shadow "$account" | cut -d : -f 2)" != '*' ]; then
    usermod --password '*' "$account"
    say "took the password of $account away"
fi
if [ "$(id -G "$account")" != "$(id -g "$account")" ]; then
    usermod --groups '' "$account"
    say "took $account out of its other groups"
fi

# 2. The probe: all that the observer's key can run.
put /usr/libexec/countersign/probe 755 <<'COUNTERSIGN_PROBE'
@PROBE@COUNTERSIGN_PROBE
if ! echo '@PROBE_SHA256@  /usr/libexec/countersign/probe' | sha256sum -c >/dev/null; then
    rm -f /usr/libexec/countersign/probe
    echo 'countersign: this script was changed on its way here; print it again' >&2
    exit 1
fi

# 3. The key, in a file that the account cannot change, and sshd told to look there and nowhere else.
put "$keys" 644 <<'COUNTERSIGN_KEYS'
@KEYS@COUNTERSIGN_KEYS
mkdir -p /etc/ssh/sshd_config.d
before=$changed
changed=0
put /etc/ssh/sshd_config.d/60-countersign.conf 600 <<'COUNTERSIGN_SSHD'
@SSHD@COUNTERSIGN_SSHD
if ! sshd -t; then
    rm -f /etc/ssh/sshd_config.d/60-countersign.conf
    echo 'countersign: sshd refuses /etc/ssh/sshd_config.d/60-countersign.conf, so it was taken away again' >&2
    exit 1
fi
if ! sshd -T -C "user=$account,host=localhost,addr=127.0.0.1" | grep -qix "authorizedkeysfile $keys"; then
    echo 'countersign: sshd does not take /etc/ssh/sshd_config.d/60-countersign.conf;' \
        'put "Include /etc/ssh/sshd_config.d/*.conf" on the first line of /etc/ssh/sshd_config' >&2
    exit 1
fi
if [ "$changed" = 1 ]; then
    if [ -d /run/systemd/system ]; then
        systemctl reload sshd.service 2>/dev/null || systemctl reload ssh.service
    elif [ -s /run/sshd.pid ]; then
        kill -HUP "$(cat /run/sshd.pid)"
    fi
fi
if [ "$before" = 1 ]; then changed=1; fi
if sshd -T -C "user=$account,host=localhost,addr=127.0.0.1" | grep -Eqi '^(allow|deny)(users|groups) '; then
    echo "countersign: sshd_config has AllowUsers, AllowGroups, DenyUsers or DenyGroups: see that they let $account in" >&2
fi

# 4. Fresh metadata for planning, and databases that an account without rights can open: SQLite wants their -wal and
# -shm files to be there, and only root can make them.
put /usr/libexec/countersign/refresh 755 <<'COUNTERSIGN_REFRESH'
@REFRESH@COUNTERSIGN_REFRESH
if [ -d /run/systemd/system ]; then
    put /etc/systemd/system/countersign-refresh.service 644 <<'COUNTERSIGN_SERVICE'
@SERVICE@COUNTERSIGN_SERVICE
    put /etc/systemd/system/countersign-refresh.timer 644 <<'COUNTERSIGN_TIMER'
@TIMER@COUNTERSIGN_TIMER
    if [ "$changed" = 1 ]; then systemctl daemon-reload; fi
    if ! systemctl is-enabled --quiet countersign-refresh.timer || ! systemctl is-active --quiet countersign-refresh.timer; then
        systemctl enable --now --quiet countersign-refresh.timer
        say 'started countersign-refresh.timer'
    fi
elif [ -d /etc/cron.d ]; then
    put /etc/cron.d/countersign-refresh 644 <<'COUNTERSIGN_CRON'
@CRON@COUNTERSIGN_CRON
else
    echo 'countersign: no systemd and no cron: have root run /usr/libexec/countersign/refresh every six hours' >&2
fi
if [ "$changed" = 1 ]; then
    /usr/libexec/countersign/refresh || echo 'countersign: the metadata could not be refreshed now; the timer will try again' >&2
fi

# What fleet.toml must say about this machine: a host key that a person read here is one that nobody put in between.
echo "countersign: @RUNNER@ is ready. For [runners.@RUNNER@] in fleet.toml:"
echo 'host_keys = ['
for key in /etc/ssh/ssh_host_*_key.pub; do
    [ ! -f "$key" ] || printf '    "%s",\n' "$(cut -d ' ' -f 1-2 "$key")"
done
echo ']'
