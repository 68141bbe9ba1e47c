#!/bin/sh
# Takes back what `enroll` had root do on @RUNNER@, but for the memory of what was started. Run it as root on @RUNNER@;
# twice is the same as once.
set -eu
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH
[ "$(id -u)" = 0 ] || { echo 'countersign: run this as root' >&2; exit 1; }

# What waits for its confirmation would wait for ever.
if [ -d /var/lib/countersign-warden/current ] && [ -x /usr/libexec/countersign/warden ]; then
    # Once to bring to its end what is due, once to hear how it stands.
    /usr/libexec/countersign/warden check || true
    said=$(/usr/libexec/countersign/warden check 2>&1) || true
    if [ "$said" != 'nothing is under way' ]; then
        printf 'countersign: not now, keep it or have it undone first: %s\n' "$said" >&2
        exit 1
    fi
fi
if [ -d /run/systemd/system ] && [ -e /etc/systemd/system/countersign-warden-check.timer ]; then
    systemctl disable --now --quiet countersign-warden-check.timer
fi
rm -f /etc/systemd/system/countersign-warden-check.timer /etc/systemd/system/countersign-warden-check.service \
    /etc/cron.d/countersign-warden /etc/dnf/libdnf5-plugins/actions.d/countersign.actions
if [ -d /run/systemd/system ]; then systemctl daemon-reload; fi
if [ -e /etc/ssh/sshd_config.d/61-countersign-actuator.conf ]; then
    rm -f /etc/ssh/sshd_config.d/61-countersign-actuator.conf
    if [ -d /run/systemd/system ]; then
        systemctl reload sshd.service 2>/dev/null || systemctl reload ssh.service
    elif [ -s /run/sshd.pid ]; then
        kill -HUP "$(cat /run/sshd.pid)"
    fi
fi
rm -f /etc/ssh/countersign-actuator.keys /etc/sudoers.d/countersign-actuator /usr/libexec/countersign/warden \
    /etc/countersign/approvers /etc/countersign/notary.pub /etc/countersign/warden.toml
if getent passwd @ACCOUNT@ >/dev/null; then
    for process in /proc/[0-9]*; do
        if [ "$(stat -c %U "$process" 2>/dev/null)" = @ACCOUNT@ ]; then kill -KILL "${process#/proc/}" || true; fi
    done
    tries=0
    until userdel @ACCOUNT@; do
        tries=$((tries + 1))
        [ "$tries" -lt 5 ] || exit 1
        sleep 1
    done
fi
for directory in /usr/libexec/countersign /etc/countersign; do
    if [ -d "$directory" ]; then rmdir --ignore-fail-on-non-empty "$directory"; fi
done
if [ -d /var/lib/countersign-warden ]; then
    echo 'countersign: /var/lib/countersign-warden is kept: it remembers what was started here, so that nothing is started twice'
fi
