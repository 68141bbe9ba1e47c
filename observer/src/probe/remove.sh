#!/bin/sh
# Takes back everything that `enroll` had root do on @RUNNER@. Run it as root on @RUNNER@; twice is the same as once.
set -eu
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH
[ "$(id -u)" = 0 ] || { echo 'countersign: run this as root' >&2; exit 1; }

if [ -d /run/systemd/system ] && [ -e /etc/systemd/system/countersign-refresh.timer ]; then
    systemctl disable --now --quiet countersign-refresh.timer
fi
rm -f /etc/systemd/system/countersign-refresh.timer /etc/systemd/system/countersign-refresh.service \
    /etc/cron.d/countersign-refresh
if [ -d /run/systemd/system ]; then systemctl daemon-reload; fi
if [ -e /etc/ssh/sshd_config.d/60-countersign.conf ]; then
    rm -f /etc/ssh/sshd_config.d/60-countersign.conf
    if [ -d /run/systemd/system ]; then
        systemctl reload sshd.service 2>/dev/null || systemctl reload ssh.service
    elif [ -s /run/sshd.pid ]; then
        kill -HUP "$(cat /run/sshd.pid)"
    fi
fi
rm -f /etc/ssh/countersign-observer.keys /usr/libexec/countersign/probe /usr/libexec/countersign/refresh
if getent passwd @ACCOUNT@ >/dev/null; then
    # An observation may be going on; userdel refuses while one is.
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
if [ -d /usr/libexec/countersign ]; then rmdir --ignore-fail-on-non-empty /usr/libexec/countersign; fi
