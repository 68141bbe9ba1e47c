#!/bin/sh
# Lets the countersign actuator hand approved changes to the warden of @RUNNER@, and do nothing else. Read it, copy the
# program beside it as ./countersign-warden (or name its place as the first argument), then run it as root on @RUNNER@.
# Running it again changes nothing; what it changes, it says.
set -eu
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH
umask 022
[ "$(id -u)" = 0 ] || { echo 'countersign: run this as root' >&2; exit 1; }

account=@ACCOUNT@
program=${1:-./countersign-warden}
warden=/usr/libexec/countersign/warden
keys=/etc/ssh/countersign-actuator.keys
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

# 1. The program, as it was built and no other.
mkdir -p /usr/libexec/countersign /etc/countersign
chmod 755 /usr/libexec/countersign /etc/countersign
if ! echo "@WARDEN_SHA256@  $warden" | sha256sum -c >/dev/null 2>&1; then
    if ! echo "@WARDEN_SHA256@  $program" | sha256sum -c >/dev/null 2>&1; then
        echo "countersign: $program is not there, or not the program that this script is for" >&2
        exit 1
    fi
fi
if [ -e "$program" ] && echo "@WARDEN_SHA256@  $program" | sha256sum -c >/dev/null 2>&1; then
    put "$warden" 755 <"$program"
elif [ "$(stat -c '%u %g %a' "$warden")" != '0 0 755' ]; then
    chown root:root "$warden"
    chmod 755 "$warden"
    say "made $warden root's"
fi

# 2. By what it judges: people, the notary's key, and its own rules. Rules that are there stay: they are this runner's.
put /etc/countersign/approvers 644 <<'COUNTERSIGN_APPROVERS'
@APPROVERS@COUNTERSIGN_APPROVERS
put /etc/countersign/notary.pub 644 <<'COUNTERSIGN_NOTARY'
@NOTARY@COUNTERSIGN_NOTARY
if [ -e /etc/countersign/warden.toml ]; then
    if ! grep -Eq '^runner *= *"@RUNNER@"' /etc/countersign/warden.toml; then
        echo 'countersign: /etc/countersign/warden.toml is of another runner; see what it says' >&2
        exit 1
    fi
else
    put /etc/countersign/warden.toml 644 <<'COUNTERSIGN_RULES'
@RULES@COUNTERSIGN_RULES
fi
"$warden" lint >/dev/null
made=$("$warden" init)
case $made in made*) say "$made" ;; esac

# 3. An account without a password, without groups, with a home that it cannot write to. A password of `*` lets keys in;
# one of `!` would lock the account for sshd.
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

# 4. What that account may do as root: run the warden, without an argument. Nobody logs in as root over the network.
mkdir -p /etc/sudoers.d
put /etc/sudoers.d/countersign-actuator 440 <<'COUNTERSIGN_SUDO'
@SUDO@COUNTERSIGN_SUDO
if ! visudo -cq -f /etc/sudoers.d/countersign-actuator; then
    rm -f /etc/sudoers.d/countersign-actuator
    echo 'countersign: sudo refuses /etc/sudoers.d/countersign-actuator, so it was taken away again' >&2
    exit 1
fi

# 5. The key, in a file that the account cannot change, and sshd told to look there and nowhere else.
put "$keys" 644 <<'COUNTERSIGN_KEYS'
@KEYS@COUNTERSIGN_KEYS
mkdir -p /etc/ssh/sshd_config.d
before=$changed
changed=0
put /etc/ssh/sshd_config.d/61-countersign-actuator.conf 600 <<'COUNTERSIGN_SSHD'
@SSHD@COUNTERSIGN_SSHD
if ! sshd -t; then
    rm -f /etc/ssh/sshd_config.d/61-countersign-actuator.conf
    echo 'countersign: sshd refuses /etc/ssh/sshd_config.d/61-countersign-actuator.conf, so it was taken away again' >&2
    exit 1
fi
if ! sshd -T -C "user=$account,host=localhost,addr=127.0.0.1" | grep -qix "authorizedkeysfile $keys"; then
    echo 'countersign: sshd does not take /etc/ssh/sshd_config.d/61-countersign-actuator.conf;' \
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

# 6. The check that undoes what was not confirmed, at boot and every minute, for when the warden's own watch died too.
if [ -d /run/systemd/system ]; then
    put /etc/systemd/system/countersign-warden-check.service 644 <<'COUNTERSIGN_SERVICE'
@SERVICE@COUNTERSIGN_SERVICE
    put /etc/systemd/system/countersign-warden-check.timer 644 <<'COUNTERSIGN_TIMER'
@TIMER@COUNTERSIGN_TIMER
    if [ "$changed" = 1 ]; then systemctl daemon-reload; fi
    if ! systemctl is-enabled --quiet countersign-warden-check.timer ||
        ! systemctl is-active --quiet countersign-warden-check.timer; then
        systemctl enable --now --quiet countersign-warden-check.timer
        say 'started countersign-warden-check.timer'
    fi
elif [ -d /etc/cron.d ]; then
    put /etc/cron.d/countersign-warden 644 <<'COUNTERSIGN_CRON'
@CRON@COUNTERSIGN_CRON
else
    echo "countersign: no systemd and no cron: have root run $warden check at boot and every minute" >&2
fi

# 7. dnf5 asks the warden inside its transactions; the plugin for that is a package of its own.
if command -v dnf5 >/dev/null; then
    found=0
    for plugin in /usr/lib64/libdnf5/plugins/actions.so /usr/lib/libdnf5/plugins/actions.so \
        /usr/lib/*/libdnf5/plugins/actions.so; do
        if [ -e "$plugin" ]; then found=1; fi
    done
    if [ "$found" = 0 ]; then
        echo 'countersign: nothing can be applied until this is there: dnf5 install libdnf5-plugin-actions' >&2
    fi
fi
hook=/etc/dnf/libdnf5-plugins/actions.d/countersign.actions
if grep -Eq '^hook *= *"(audit|block)"' /etc/countersign/warden.toml; then
    mkdir -p "${hook%/*}"
    put "$hook" 644 <<'COUNTERSIGN_HOOK'
@HOOK@COUNTERSIGN_HOOK
elif [ -e "$hook" ]; then
    rm -f "$hook"
    say "took $hook away"
fi

# What others must know of this machine. A host key that a person read here is one that nobody put in between.
sum() { sha256sum "$1" | cut -c 1-64; }
echo "countersign: @RUNNER@ is ready. For [warden] in actuator.toml:"
echo "binary = [\"$(sum "$warden")\"]"
echo "approvers = [\"$(sum /etc/countersign/approvers)\"]"
echo "policy = [\"$("$warden" digest)\"]"
echo "notary_key = [\"$(sum /etc/countersign/notary.pub)\"]"
echo "countersign: and for [runners.@RUNNER@] in fleet.toml:"
echo 'host_keys = ['
for key in /etc/ssh/ssh_host_*_key.pub; do
    [ ! -f "$key" ] || printf '    "%s",\n' "$(cut -d ' ' -f 1-2 "$key")"
done
echo ']'
