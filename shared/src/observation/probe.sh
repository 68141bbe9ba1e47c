#!/bin/sh
# countersign probe 1: answers what is installed here, and changes nothing.
#
# Reads one request on stdin, takes no arguments, writes one framed answer to stdout. Install it root-owned, mode 0755,
# as /usr/libexec/countersign/probe. POSIX sh; needs coreutils, awk, sed and rpm.

PATH=/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
IFS=' 	
'
export PATH LC_ALL
umask 077
set -uf

MAGIC=countersign-probe/1
HERE=/usr/libexec/countersign/probe
REQUEST_MAX=262144
CHANGES_MAX=20000
STATE5=/usr/lib/sysimage/libdnf5
STATE4=/var/lib/dnf
# What the warden says that it started; its own directory is root's alone.
APPLICATIONS=/var/lib/countersign-warden.applications

# One line instead of an answer.
refuse() {
    printf '%s error %s %s\n' "$MAGIC" "$1" "$2"
    exit 64
}

# Runs a program with nothing of our environment, for at most $wait seconds; stderr is kept for the answer.
run() {
    env -i PATH="$PATH" LC_ALL=C HOME="$T/home" TMPDIR="$T/home" XDG_CACHE_HOME="$T/home" XDG_CONFIG_HOME="$T/home" \
        XDG_DATA_HOME="$T/home" XDG_STATE_HOME="$T/home" \
        timeout -k 2 "$wait" "$@" </dev/null 2>"$T/stderr"
}

# Like run, for dnf5 without plugins. Once dnf did not answer in time, it is not asked again.
dnf5_plain() {
    [ "$busy" = 0 ] || return 124
    run dnf5 --setopt=plugins=0 "$@"
    status=$?
    [ "$status" != 124 ] && [ "$status" != 137 ] || busy=1
    return "$status"
}

# The same without excludes, which hide installed packages from repoquery.
dnf5_run() { dnf5_plain --setopt=disable_excludes='*' "$@"; }

# Prints stdin with control characters replaced and bytes that are not UTF-8 left out.
printable() {
    if [ "$iconv" = 1 ]; then
        tr '\000-\010\013-\037\177' '?' | iconv -c -f UTF-8 -t UTF-8 2>"$T/iconv"
    else
        tr '\000-\010\013-\037\177-\377' '?'
    fi
}

# Payload lines begin with a space, control lines never do.
indent() { printable | sed 's/^/ /'; }

sections=0
begin() {
    printf 'section %s\n' "$1"
    sections=$((sections + 1))
}
# good [ROWS]: the section was read. warm: it is as it was when the request's token was made.
good() { printf 'close 0%s\n' "${1:+ $1}"; }
warm() { printf 'close 0 warm\n'; }
# bad STATUS CODE [MESSAGE]: not read; stderr of the last program is the message unless there is one.
bad() {
    if [ "$#" -gt 2 ]; then
        printf ' %s\n' "$3"
    else
        tail -c 600 "$T/stderr" | printable | sed '/^$/d; s/^/ /' | tail -n 4
    fi
    printf 'close %s %s\n' "$1" "$2"
}
# Closes a section by the exit status of a dnf query.
bad_dnf() {
    case $1 in
    124 | 137) bad "$1" dnf-busy 'dnf did not answer in time; another transaction may hold its lock' ;;
    *) bad "$1" dnf-failed ;;
    esac
}

# ---------------------------------------------------------------------------------------------------------- request

read_request() {
    # What does not begin like a request may never end: sftp clients wait for an answer to their first packet. dd takes
    # one byte and no more; some heads read ahead.
    timeout 10 dd bs=1 count=1 >"$T/request" 2>"$T/stderr"
    case $? in
    0) ;;
    124) refuse request 'no request within 10 s' ;;
    *) refuse no-space 'the temporary directory cannot be written to' ;;
    esac
    [ "$(tr -d '\0' <"$T/request")" = c ] || refuse request 'not a request'
    timeout 10 head -c "$REQUEST_MAX" >>"$T/request"
    case $? in
    0) ;;
    124) refuse request 'the request did not end within 10 s' ;;
    *) refuse no-space 'the temporary directory cannot be written to' ;;
    esac
    [ "$(wc -c <"$T/request")" -le "$REQUEST_MAX" ] || refuse request "more than $REQUEST_MAX bytes"
    [ "$(tr -d '\n -~' <"$T/request" | wc -c)" -eq 0 ] || refuse request 'bytes that are not printable ASCII'
    : >"$T/names"
    : >"$T/items"
    awk -v magic="$MAGIC request" -v names="$T/names" -v items="$T/items" '
        function fail(text) { if (!wrong) wrong = "line " NR ": " text }
        NR == 1 { if ($0 != magic) fail("not a request of this version"); next }
        ended { fail("text after the end"); next }
        $0 == "end" { ended = 1; next }
        NF != 2 || $0 != $1 " " $2 { fail("not a key and a value"); next }
        $1 == "any" {
            if (plan != "offers") fail("not in this request")
            else if ($2 !~ /^[A-Za-z0-9][A-Za-z0-9._+-]*$/ || length($2) > 128) fail("not a package name")
            else if (++wanted > 2048) fail("too many packages")
            else print $1, $2 > items
            next
        }
        $1 ~ /^(offer|install|upgrade|downgrade|remove)$/ {
            if (plan == "" || (plan == "offers") != ($1 == "offer")) fail("not in this request")
            else if ($2 !~ /^[A-Za-z0-9][A-Za-z0-9._+:~^-]*$/ || $2 !~ /-.*-.*\./ || length($2) > 255) fail("not a package")
            else if (++wanted > (plan == "each" ? 64 : 2048)) fail("too many packages")
            else print $1, $2 > items
            next
        }
        length($2) > 128 { fail("too long"); next }
        $1 == "name" {
            if ($2 !~ /^[A-Za-z0-9][A-Za-z0-9._+:~^-]*$/) fail("not a package name")
            else if (++count > 8192) fail("too many names")
            else print $2 > names
            next
        }
        ($1 in seen) { fail("twice"); next }
        { seen[$1] = 1 }
        $1 == "nonce" { if ($2 !~ /^[0-9a-f]+$/ || length($2) != 32) fail("not a nonce"); nonce = $2; next }
        $1 == "packages" { if ($2 !~ /^[0-9a-f]+$/ || length($2) != 64) fail("not a token"); packages = $2; next }
        $1 == "history" { if ($2 !~ /^[0-9a-f]+$/ || length($2) != 64) fail("not a token"); history = $2; next }
        $1 == "plan" { if ($2 !~ /^(offers|solve|each)$/) fail("not a way to plan"); plan = $2; next }
        $1 == "erasing" { if ($2 != "yes" || plan !~ /^(solve|each)$/) fail("not here"); erasing = $2; next }
        $1 == "digests" { if ($2 != "yes" || plan != "offers") fail("not here"); digests = $2; next }
        $1 == "wait" { if ($2 !~ /^([1-9]|10)$/) fail("not 1 to 10 seconds"); wait = $2; next }
        { fail("an unknown key") }
        END {
            if (!wrong && !ended) wrong = "no end line"
            if (!wrong && nonce == "") wrong = "no nonce"
            if (!wrong && plan != "" && (count || packages != "" || history != "")) wrong = "two requests in one"
            if (wrong) { print "wrong " wrong; exit }
            print "nonce " nonce
            print "packages " (packages == "" ? "-" : packages)
            print "history " (history == "" ? "-" : history)
            print "wait " (wait == "" ? 10 : wait)
            print "plan " (plan == "" ? "-" : plan)
            print "erasing " (erasing == "" ? "no" : erasing)
            print "digests " (digests == "" ? "no" : digests)
        }' "$T/request" >"$T/fields"
    while read -r key value; do
        case $key in
        wrong) refuse request "$value" ;;
        nonce) nonce=$value ;;
        packages) known_packages=$value ;;
        history) known_history=$value ;;
        wait) wait=$value ;;
        plan) plan=$value ;;
        erasing) erasing=$value ;;
        digests) digests=$value ;;
        esac
    done <"$T/fields"
    [ -n "$nonce" ] || refuse request 'unreadable'
    sort -u "$T/names" >"$T/listed"
}

# ------------------------------------------------------------------------------------------------------------- host

section_os() {
    begin os
    os=/etc/os-release
    [ -r "$os" ] || os=/usr/lib/os-release
    arch=$(run rpm --eval '%{_arch}')
    if [ -r "$os" ] && [ -n "$arch" ]; then
        awk -F= '($1 == "ID" || $1 == "VERSION_ID") && !seen[$1]++ {
            key = tolower($1); sub(/^[^=]*=/, ""); gsub(/["\047\t]/, ""); print key "\t" $0 }' "$os" | indent
        printf ' arch\t%s\n' "$arch"
        good
    else
        bad 1 unreadable 'no os-release file, or rpm does not say its architecture'
    fi
}

section_kernel() {
    begin kernel
    release=$(uname -r)
    booted=$(awk '$1 == "btime" { print $2 }' /proc/stat)
    if [ -n "$release" ] && [ -n "$booted" ]; then
        printf ' %s\t%s\n' "$release" "$booted"
        good
    else
        bad 1 unreadable '/proc/stat has no boot time'
    fi
}

section_selinux() {
    begin selinux
    if command -v getenforce >"$T/getenforce"; then
        if mode=$(run getenforce); then
            printf '%s\n' "$mode" | tr '[:upper:]' '[:lower:]' | indent
            good
        else
            bad 1 unreadable
        fi
    elif [ -e /sys/fs/selinux/enforce ]; then
        case $(cat /sys/fs/selinux/enforce 2>"$T/stderr") in
        1) printf ' enforcing\n' && good ;;
        0) printf ' permissive\n' && good ;;
        *) bad 1 unreadable ;;
        esac
    else
        printf ' disabled\n'
        good
    fi
}

# The account's rights; `sudo -n true` would not see an account that may run only dnf.
section_privileges() {
    begin privileges
    sudo=no
    if command -v sudo >"$T/sudo" && run sudo -n -l >"$T/sudo"; then sudo=yes; fi
    writable=no
    for file in "$dbpath" "$dbpath/rpmdb.sqlite" "$dbpath/Packages" "$dbpath/Packages.db"; do
        if [ -w "$file" ]; then writable=yes; fi
    done
    forced=no
    if [ "$0" = "$HERE" ] && [ "$(stat -c %u "$HERE" 2>"$T/stderr")" = 0 ] && [ ! -w "$HERE" ]; then forced=yes; fi
    printf ' %s\t%s\t%s\t%s\t' "$(id -u)" "$sudo" "$writable" "$forced"
    id -Gn | printable
    good
}

# Denials since boot, from the audit log where the account may read it.
section_avc() {
    begin avc
    log=/var/log/audit/audit.log
    if [ -r "$log" ]; then
        awk -v booted="$booted" '/^type=(AVC|USER_AVC) / && / denied / {
            if (match($0, /audit\([0-9]+/) && substr($0, RSTART + 6, RLENGTH - 6) + 0 >= booted + 0) count++
        } END { print " " count + 0 }' "$log"
        good
    else
        bad 1 unreadable 'the audit log is not readable to this account'
    fi
}

# Locks that are held, and since when nothing moved under them. /proc/locks names inodes; its device numbers are those
# of the whole file system on btrfs, so the holder must be a package manager instead.
section_locks() {
    begin locks
    newest=$(stat -c %Y "$dbpath/rpmdb.sqlite" "$dbpath/rpmdb.sqlite-wal" 2>"$T/stderr" | sort -n | tail -n 1)
    {
        for file in "$dbpath/.rpm.lock" "$STATE4/system-repo.lock" /run/dnf/rpmtransaction.lock; do
            inode=$(stat -c %i "$file" 2>"$T/stderr") || continue
            awk -v inode="$inode" '$2 != "->" && $4 == "WRITE" && $6 ~ ":" inode "$" { print $5 }' /proc/locks |
                sed "s|\$| $file|"
        done
        for file in "$STATE4/rpmdb_lock.pid" /var/cache/dnf/metadata_lock.pid /var/cache/dnf/download_lock.pid; do
            read -r pid 2>"$T/stderr" <"$file" || continue
            printf '%s %s\n' "$pid" "$file"
        done 2>"$T/stderr"
    } | while read -r pid file; do
        case $pid in '' | *[!0-9]*) continue ;; esac
        [ -d "/proc/$pid" ] || continue
        case $(cat "/proc/$pid/comm" 2>"$T/stderr") in
        '' | dnf* | yum* | rpm* | microdnf* | packagekit* | PackageKit* | python* | platform-python*) ;;
        *) continue ;;
        esac
        { stat -c %Y "/proc/$pid" "$file" 2>"$T/stderr"; printf '%s\n' "${newest:-0}"; } | sort -n | tail -n 1 |
            sed "s|^| $file	|"
    done | sort -u
    good
}

# ---------------------------------------------------------------------------------------------------------- rpm, dnf

# A full disk shortens what rpm and dnf write, and neither of them says so.
require_room() {
    head -c 65536 /dev/zero >"$T/room" 2>"$T/no-room" && return
    cp "$T/no-room" "$T/rpm-stderr"
    rpm_status=1 rpm_code=no-space
}

# Every row begins with the nonce: a line without it continues a text that holds a newline.
read_rpm() {
    if run rpm --querytags | grep -qx OPENPGP; then more=' [%{OPENPGP:pgpsig} ]'; else more=''; fi
    run rpm -qa --qf "$nonce\\t%{NAME}\\t%{EPOCHNUM}\\t%{VERSION}\\t%{RELEASE}\\t%{ARCH}\\t%{INSTALLTIME}\\t%{DBINSTANCE}\
\\t%|SHA256HEADER?{%{SHA256HEADER}}|\\t%{DSAHEADER:pgpsig} %{RSAHEADER:pgpsig} %{SIGGPG:pgpsig} %{SIGPGP:pgpsig}$more\
\\t%|VENDOR?{%{VENDOR}}|\\n" >"$T/rpm"
    rpm_status=$?
    rpm_code=
    case $rpm_status in
    124 | 137) rpm_code=rpm-busy ;;
    0)
        # rpm skips damaged headers and still exits 0.
        if grep -q '^error:' "$T/stderr"; then rpm_status=1 rpm_code=rpmdb-damaged; fi
        if [ ! -s "$T/rpm" ]; then rpm_status=1 rpm_code=rpmdb-empty; fi
        ;;
    *) rpm_code=rpmdb-unreadable ;;
    esac
    cp "$T/stderr" "$T/rpm-stderr"
    require_room
    cookie=$(awk -F '\t' -v nonce="$nonce" '$1 == nonce { print $2 " " $8 }' "$T/rpm" | sort | sha256sum)
}

# Two digests that move whenever the answer to the lists or to the history would. A state that is kept elsewhere has none.
read_tokens() {
    packages_token=-
    history_token=-
    if grep -Eqs '^[[:space:]]*(system_state_dir|persistdir)' /etc/dnf/dnf.conf; then return; fi
    packages_token=$(
        set +f
        {
            printf '%s\n%s\n%s\n' "$MAGIC" "$generation" "$cookie"
            sha256sum "$T/listed" | cut -c 1-64
            sha256sum "$STATE5"/*.toml /etc/dnf/dnf.conf /etc/dnf/libdnf5.conf.d/*.conf \
                /usr/share/dnf5/libdnf.conf.d/*.conf 2>"$T/stderr"
            [ "$generation" = 5 ] || stat -c '%n %i %s %y %z' "$STATE4"/history.sqlite "$STATE4"/history.sqlite-wal 2>"$T/stderr"
        } | sha256sum | cut -c 1-64
    )
    history_token=$(
        {
            printf '%s\n%s\n' "$MAGIC" "$generation"
            stat -c '%n %i %s %y %z' "$STATE5/transaction_history.sqlite" "$STATE5/transaction_history.sqlite-wal" \
                "$STATE4/history.sqlite" "$STATE4/history.sqlite-wal" "$APPLICATIONS" 2>"$T/stderr"
        } | sha256sum | cut -c 1-64
    )
}

detect_dnf() {
    generation=0
    case $(readlink -f "$(command -v dnf)" 2>"$T/stderr") in
    */dnf5) generation=5 ;;
    */dnf*) generation=4 ;;
    *) if command -v dnf5 >"$T/which"; then generation=5; fi ;;
    esac
}

section_dnf() {
    begin dnf
    version=
    case $generation in
    5) version=$(run dnf5 --version | sed -n 's/^dnf5 version //p') ;;
    4) version=$(cat "$T/dnf4.version" 2>"$T/stderr") ;;
    esac
    if [ -n "$version" ]; then
        printf ' %s\t%s\n' "$generation" "$version"
        good
    else
        bad 1 no-dnf 'neither dnf5 nor dnf answers'
    fi
}

lists_wanted() {
    [ -z "$rpm_code" ] && { [ "$packages_token" = - ] || [ "$packages_token" != "$known_packages" ]; }
}

# Which of the listed packages are here; repoquery without any would answer for all.
installed_names() {
    awk -F '\t' -v nonce="$nonce" 'FILENAME == ARGV[1] { listed[$0] = 1; next }
        $1 == nonce && ($2 in listed) && !seen[$2]++ { print $2 }' "$T/listed" "$T/rpm" >"$T/here"
}

query_dnf5() {
    tab='	'
    q="%{name}$tab%{epoch}$tab%{version}$tab%{release}$tab%{arch}"
    dnf5_run repoquery --installed --qf "$q$tab%{reason}$tab%{from_repo}\\n" >"$T/origins" &&
        dnf5_run repoquery --installed --installonly --qf "$q\\n" >"$T/installonly"
    lists_status=$?
    cp "$T/stderr" "$T/lists-stderr"
    : >"$T/needed"
    needed_status=$lists_status
    installed_names
    if [ "$lists_status" = 0 ] && [ -s "$T/here" ]; then
        # shellcheck disable=SC2046 # validated names, and globbing is off
        dnf5_run repoquery --installed --providers-of=requires --recursive --qf '%{name}\n' $(cat "$T/here") >"$T/needed"
        needed_status=$?
    fi
    cp "$T/stderr" "$T/needed-stderr"
    require_room
}

# One row per instance: rpm's facts joined with dnf's.
section_packages() {
    begin packages
    if [ -n "$rpm_code" ]; then
        cp "$T/rpm-stderr" "$T/stderr"
        bad "$rpm_status" "$rpm_code"
    elif [ "$generation" = 0 ]; then
        bad 1 no-dnf 'neither dnf5 nor dnf answers'
    elif [ "$packages_token" != - ] && [ "$packages_token" = "$known_packages" ]; then
        warm
    elif [ "$lists_status" != 0 ]; then
        cp "$T/lists-stderr" "$T/stderr"
        bad_dnf "$lists_status"
    else
        awk -F '\t' -v OFS='\t' -v nonce="$nonce" '
            BEGIN {
                letter["user"] = "u"; letter["group"] = "g"; letter["dependency"] = "d"; letter["weak dependency"] = "w"
                letter["clean"] = "c"; letter["external user"] = "e"
            }
            FILENAME == ARGV[1] {
                key = $1 FS $2 FS $3 FS $4 FS $5
                r = tolower($6); gsub(/-/, " ", r)
                reason[key] = (r in letter) ? letter[r] : "-"
                from[key] = ($7 == "<unknown>" || $7 == "@System") ? "" : substr($7, 1, 128)
                next
            }
            FILENAME == ARGV[2] { only[$0] = "i"; next }
            function flush() { gsub(/\t/, " ", vendor); if (row != "") print row, substr(vendor, 1, 256) }
            $1 == nonce {
                flush()
                signer = ""
                words = split($10, word, " ")
                for (i = 1; i <= words; i++)
                    if (length(word[i]) >= 8 && word[i] ~ /^[0-9a-fA-F]+$/) signer = tolower(word[i])
                key = $2 FS $3 FS $4 FS $5 FS $6
                row = $2 OFS $3 OFS $4 OFS $5 OFS $6 OFS $7 OFS $8 OFS $9 OFS signer OFS \
                    ((key in reason) ? reason[key] : "-") OFS ((key in only) ? "i" : "-") OFS from[key]
                vendor = $11
                for (i = 12; i <= NF; i++) vendor = vendor FS $i
                next
            }
            { vendor = vendor " " $0 }
            END { flush() }' "$T/origins" "$T/installonly" "$T/rpm" | sort | indent
        good "$(awk -F '\t' -v nonce="$nonce" '$1 == nonce { rows++ } END { print rows + 0 }' "$T/rpm")"
    fi
}

section_needed() {
    begin needed
    if [ -n "$rpm_code" ]; then
        bad "$rpm_status" "$rpm_code" 'the rpm database was not read'
    elif [ "$generation" = 0 ]; then
        bad 1 no-dnf 'neither dnf5 nor dnf answers'
    elif [ "$packages_token" != - ] && [ "$packages_token" = "$known_packages" ]; then
        warm
    elif [ "$needed_status" != 0 ]; then
        cp "$T/needed-stderr" "$T/stderr"
        bad_dnf "$needed_status"
    else
        sort -u "$T/needed" >"$T/needed-once"
        indent <"$T/needed-once"
        good "$(wc -l <"$T/needed-once")"
    fi
}

section_tokens() {
    begin tokens
    printf ' %s\t%s\n' "$packages_token" "$history_token"
    good
}

section_repos() {
    begin repos
    if [ "$generation" = 5 ]; then
        [ "$busy" = 0 ] && run dnf5 -C --setopt=disable_excludes='*' repo list --all --json >"$T/json"
        status=$?
        if [ "$status" = 0 ]; then
            awk '/^ *"id": *"/ { sub(/^ *"id": *"/, ""); sub(/",?$/, ""); id = $0 }
                /^ *"is_enabled": *(true|false),?$/ { print id "\t" ($0 ~ /true/ ? "enabled" : "disabled") }' "$T/json" |
                sort | indent
            good
        else
            bad_dnf "$status"
        fi
    else
        answer_dnf4 repos
    fi
}

section_versionlocks() {
    begin versionlocks
    if [ "$generation" = 5 ]; then
        dnf5_run versionlock list >"$T/locks"
        status=$?
        if [ "$status" = 0 ]; then
            awk '/^#/ || /^$/ { next }
                sub(/^Package name: /, "") { if (line != "") print line; line = $0; next }
                { sub(/^ +/, ""); line = line " " $0 }
                END { if (line != "") print line }' "$T/locks" | sort | indent
            good
        else
            bad_dnf "$status"
        fi
    else
        answer_dnf4 versionlocks
    fi
}

# Settings that only say how dnf looks, speaks and downloads, those that the probe itself sets, and secrets.
QUIET='(cachedir|logdir|debugdir|destdir|plugins|cacheonly|name|comment|username|password|color.*|debuglevel|errorlevel|rpmverbosity'
QUIET="$QUIET|log_.*|history_.*|user_agent|countme|bugtracker_url|timeout|retries|throttle|bandwidth|minrate|ip_resolve|proxy.*"
QUIET="$QUIET|max_.*|fastestmirror|deltarpm.*|keepcache|metadata_timer_sync|check_config_file_age|exit_on_lock|reset_nice)"

# One digest of everything else: any other setting of dnf or of a repository moves it.
section_config() {
    begin config
    status=0
    if [ "$generation" = 5 ]; then
        dnf5_plain -C --dump-variables --dump-main-config --dump-repo-config='*' repo list >"$T/config"
        status=$?
    elif [ -f "$T/dnf4.config" ]; then
        mv "$T/dnf4.config" "$T/config"
    else
        answer_dnf4 config
        return
    fi
    if [ "$status" != 0 ]; then
        bad_dnf "$status"
        return
    fi
    awk -v OFS='\t' '/^======== .* ========$/ { part = $0; next }
        /^\[.*\]$/ { part = $0; next }
        part != "" && /^[a-z0-9_]+ = ./ { print part, $0 }' "$T/config" |
        grep -Ev "	$QUIET = " | grep -vF "$T" | sort >"$T/settings"
    if [ -s "$T/settings" ]; then
        sha256sum "$T/settings" | cut -c 1-64 | indent
        good
    else
        bad 1 garbage 'dnf showed its configuration in an unknown form'
    fi
}

# Enabled streams, from the state files: listing modules would load repositories.
section_modules() {
    begin modules
    (
        set +f
        for file in "$STATE5/modules.toml" /etc/dnf/modules.d/*.module; do
            [ -f "$file" ] || continue
            awk -F '"' -v OFS=: '/^\[/ { name = $0; gsub(/^\[(modules\.)?"?|"?\][ \t]*$/, "", name); stream = ""; state = "" }
                /^"?[A-Za-z0-9._+-]+"? *= *\{/ {
                    name = $0; sub(/ *=.*/, "", name); gsub(/"/, "", name)
                    if ($0 ~ /state *= *"Enabled"/ && match($0, /enabled_stream *= *"[^"]*"/)) {
                        s = substr($0, RSTART, RLENGTH); gsub(/^[^"]*"|"$/, "", s); print name, s
                    }
                    next
                }
                { line = $0; gsub(/["\t ]/, "", line) }
                line ~ /^(enabled_)?stream=/ { stream = substr(line, index(line, "=") + 1) }
                tolower(line) ~ /^state=enabled$/ { state = "enabled" }
                stream != "" && state != "" { print name, stream; stream = ""; state = "" }' "$file"
        done
    ) | sort -u | indent
    good
}

section_reboot() {
    begin reboot
    status=2
    case $generation in
    5)
        # Advisories come from root's metadata if there is any; nothing is downloaded.
        dnf5_run -C --setopt=cachedir=/var/cache/libdnf5 needs-restarting >"$T/restart"
        status=$?
        if [ "$status" != 0 ] && ! grep -q '^Reboot' "$T/restart"; then
            dnf5_run --disable-repo='*' needs-restarting >"$T/restart"
            status=$?
        fi
        ;;
    4)
        dnf4_run restart - >"$T/restart"
        status=$?
        ;;
    esac
    case $status in
    0) printf ' no\n' && good ;;
    1)
        if grep -q '^Reboot' "$T/restart"; then printf ' yes\n' && good; else bad 1 dnf-failed; fi
        ;;
    124 | 137) bad_dnf "$status" ;;
    *) bad "$status" unsupported 'dnf has no needs-restarting here' ;;
    esac
}

# The newest change of root's repository metadata.
section_metadata() {
    begin metadata
    if (
        set +f
        for cache in /var/cache/libdnf5 /var/cache/dnf; do
            if [ -d "$cache" ] && [ ! -x "$cache" ]; then exit 1; fi
            stat -c %Y "$cache"/*/repodata/repomd.xml 2>"$T/stderr"
        done
        exit 0
    ) >"$T/metadata"; then
        sort -n "$T/metadata" | tail -n 1 | indent
        good
    else
        bad 1 unreadable "root's cache is not readable to this account"
    fi
}

# ---------------------------------------------------------------------------------------------------------- history

# Rows of dnf5's history: `t` a transaction, `c` a change of the transaction above it. Texts stay JSON strings.
history_dnf5() {
    if [ ! -e "$STATE5/transaction_history.sqlite" ] || ! command -v dnf5 >"$T/which"; then return 0; fi
    if ! dnf5_run --setopt=system_state_dir="$from" history list --json >"$T/json"; then
        # Without its -wal and -shm files only root can open the database; a private copy can be opened.
        [ "$busy" = 0 ] || return 124
        from="$T/state5"
        copy_state "$STATE5/transaction_history.sqlite" "$from" || return
        dnf5_run --setopt=system_state_dir="$from" history list --json >"$T/json" || return
    fi
    awk '/^ *"id": *[0-9]+,?$/ { gsub(/[^0-9]/, ""); id = $0 }
        /^ *"status": *"/ { sub(/^ *"status": *"/, ""); sub(/",?$/, ""); ok = $0 == "Ok" }
        /^ *"altered_count": *[0-9]+,?$/ { gsub(/[^0-9]/, ""); if (($0 > 0 || !ok) && count++ < 200) print id }' \
        "$T/json" >"$T/ids"
    [ -s "$T/ids" ] || return 0
    # shellcheck disable=SC2046 # numbers
    dnf5_run --setopt=system_state_dir="$from" history info $(cat "$T/ids") --json >"$T/json" || return
    awk -v OFS='\t' -v most="$CHANGES_MAX" -v expected="$(wc -l <"$T/ids")" '
        function text() { sub(/^ *"[a-z_]+": */, ""); sub(/,$/, ""); return $0 }
        function bare() { text(); gsub(/^"|"$/, ""); return $0 }
        function head() {
            if (shown || !known) return
            shown = 1; entries++
            if (changes < most) print "t", id, start, end, status, digest, user, command
        }
        array == "" && /^ *"id":/ { id = bare(); shown = 0; known = 1; start = end = status = digest = ""; user = command = "\"\""; next }
        array == "" && /^ *"start_time":/ { start = bare(); next }
        array == "" && /^ *"end_time":/ { end = bare(); next }
        array == "" && /^ *"rpmdb_version_end":/ { digest = bare(); next }
        array == "" && /^ *"user_name":/ { user = text(); next }
        array == "" && /^ *"status":/ { status = bare(); next }
        array == "" && /^ *"description":/ { command = text(); next }
        array == "" && /^ *"[a-z_]+": *\[ *\],?$/ { next }
        array == "" && /^ *"[a-z_]+": *\[ *$/ { array = $0; gsub(/[^a-z]/, "", array); if (array == "packages") head(); next }
        array != "" && /^ *\],?$/ { array = ""; next }
        array == "packages" && /^ *"nevra":/ { nevra = bare(); next }
        array == "packages" && /^ *"action":/ { action = bare(); next }
        array == "packages" && /^ *\},?$/ { if (changes < most) print "c", action, nevra; pending++; next }
        array == "" && /^ *\},?$/ { head(); known = 0; changes += pending; pending = 0 }
        END { if (entries != expected) exit 3 }' "$T/json" >"$T/history5"
}

section_history() {
    begin history
    if [ "$history_token" != - ] && [ "$history_token" = "$known_history" ]; then
        warm
        return
    fi
    : >"$T/history5"
    : >"$T/history4"
    from=$STATE5
    which=dnf5
    history_dnf5 && which=dnf4 && history_dnf4
    status=$?
    case $status in
    0)
        : >"$T/applications"
        if [ -e "$APPLICATIONS" ]; then
            awk -F '\t' -v OFS='\t' 'NF == 4 { print "w", $0 }' "$APPLICATIONS" 2>"$T/stderr" | tail -n 50 >"$T/applications"
        fi
        cat "$T/history5" "$T/history4" "$T/applications" | indent
        good "$(cat "$T/history5" "$T/history4" "$T/applications" | wc -l)"
        ;;
    3) bad 3 garbage 'dnf5 history info answered in an unknown form' ;;
    124 | 137) bad_dnf "$status" ;;
    *)
        bad "$status" history-unreadable \
            "the history of $which cannot be read by this account, see enroll: $(head -c 300 "$T/stderr" | printable | tr '\n' ' ')"
        ;;
    esac
}

# ------------------------------------------------------------------------------------------------------------- dnf4

# dnf4 is a Python program, so its hosts have Python; hosts of dnf5 need none. One process answers everything, from a
# private copy of dnf4's history, without which dnf would take every reason for unknown.
write_dnf4() {
    cat >"$T/dnf4.py" <<'PYTHON'
import json, os, sqlite3, sys

out, task, names = sys.argv[1], sys.argv[2], sys.argv[3]
state = os.path.join(out, "state4")


def write(name, rows):
    path = os.path.join(out, "dnf4." + name)
    with open(path + ".part", "w", encoding="utf-8", errors="replace") as file:
        for row in rows:
            file.write("\t".join(str(part) for part in row) + "\n")
    os.rename(path + ".part", path)


def private_dnf():
    import dnf.const

    # Otherwise dnf makes a cache of its own in /var/tmp.
    dnf.const.TMPDIR = out + "/"
    return dnf


def listed():
    with open(names) as file:
        return file.read().split()


def versionlocks(conf):
    import configparser

    for folder in conf.pluginconfpath if conf.plugins else []:
        plugin = configparser.ConfigParser(interpolation=None)
        if not plugin.read(os.path.join(folder, "versionlock.conf")):
            continue
        path = plugin.get("main", "locklist", fallback="")
        if plugin.getboolean("main", "enabled", fallback=True) and os.path.exists(path):
            with open(path, encoding="utf-8", errors="replace") as file:
                return [[line.strip()] for line in file if line.strip() and not line.startswith("#")]
    return []


def host(lists):
    dnf = private_dnf()
    import dnf.rpm

    write("version", [[dnf.VERSION]])
    base = dnf.Base()
    conf = base.conf
    conf.read(priority=dnf.conf.PRIO_MAINCONFIG)
    write("versionlocks", versionlocks(conf))
    settings = conf.dump()
    conf.cachedir = conf.logdir = os.path.join(out, "home")
    conf.persistdir = state
    conf.disable_excludes = ["all"]
    try:
        conf.releasever = dnf.rpm.detect_releasever(conf.installroot) or ""
    except Exception:
        conf.releasever = ""
    conf.substitutions.update_from_etc(conf.installroot, varsdir=conf._get_value("varsdir"))
    base.read_all_repos()
    write("repos", [[repo.id, "enabled" if repo.enabled else "disabled"] for repo in base.repos.all()])
    variables = ["%s = %s" % (key, value) for key, value in sorted(conf.substitutions.items())]
    dumps = [settings] + [repo.dump() for repo in base.repos.all()] + ["[variables]"] + variables
    write("config", [[line] for dump in dumps for line in dump.splitlines()])
    if not lists:
        return
    base.fill_sack(load_system_repo=True, load_available_repos=False)
    installed = base.sack.query().installed()

    def key(package):
        return [package.name, package.epoch, package.version, package.release, package.arch]

    write("origins", [key(package) + [package.reason, base.history.repo(package) or ""] for package in installed])
    write("installonly", [key(package) for package in base._get_installonly_query(installed)])
    found, todo = set(), list(installed.filter(name=listed()))
    while todo:
        providers = installed.filter(provides=[requirement for package in todo for requirement in package.requires])
        todo = [package for package in providers if package not in found]
        found.update(todo)
    write("needed", sorted({(package.name,) for package in found}))


ACTIONS = {1: "Install", 2: "Downgrade", 3: "Downgraded", 4: "Obsolete", 5: "Obsoleted", 6: "Upgrade", 7: "Upgraded",
           8: "Removed", 9: "Reinstall", 10: "Reinstalled", 11: "Reason Change"}
STATES = {0: "Started", 1: "Ok", 2: "Error"}


def user(uid):
    import pwd

    if uid in (-1, 4294967295):
        return "4294967295 "
    try:
        entry = pwd.getpwuid(uid)
        return "%d %s <%s>" % (uid, entry.pw_gecos.split(",")[0], entry.pw_name)
    except KeyError:
        return "%d" % uid


def history(most):
    path = os.path.join(state, "history.sqlite")
    rows = []
    if os.path.exists(path):
        database = sqlite3.connect(path)
        database.text_factory = lambda text: text.decode("utf-8", "replace")
        changes = 0
        for number, begin, end, digest, uid, command, done in database.execute(
            "select id, dt_begin, dt_end, rpmdb_version_end, user_id, cmdline, state from trans t where state != 1 or"
            " exists (select 1 from trans_item i join rpm r on r.item_id = i.item_id where i.trans_id = t.id)"
            " order by id desc limit 200"):
            if changes >= most:
                break
            texts = [json.dumps(text or "", ensure_ascii=False) for text in (user(uid), command)]
            rows.append(["t", number, begin, end or 0, STATES.get(done, "Error"), digest or ""] + texts)
            for action, name, epoch, version, release, arch in database.execute(
                "select i.action, r.name, r.epoch, r.version, r.release, r.arch from trans_item i"
                " join rpm r on r.item_id = i.item_id where i.trans_id = ? order by i.id", (number,)):
                nevra = "%s-%d:%s-%s.%s" % (name, epoch, version, release, arch)
                rows.append(["c", ACTIONS.get(action, action), nevra])
                changes += 1
    write("history", rows)


REASONS = {0: "None", 1: "Dependency", 2: "User", 3: "Clean", 4: "Weak Dependency", 5: "Group"}


def full(package):
    return "%s-%d:%s-%s.%s" % (package.name, package.epoch, package.version, package.release, package.arch)


def planning_base():
    dnf = private_dnf()
    import dnf.rpm

    base = dnf.Base()
    conf = base.conf
    conf.read(priority=dnf.conf.PRIO_MAINCONFIG)
    conf.persistdir = state
    conf.logdir = os.path.join(out, "home")
    conf.cachedir = conf.system_cachedir
    conf.cacheonly = True
    conf.releasever = dnf.rpm.detect_releasever(conf.installroot) or ""
    conf.substitutions.update_from_etc(conf.installroot, varsdir=conf._get_value("varsdir"))
    base.read_all_repos()
    rows = []
    for repo in base.repos.iter_enabled():
        if repo.id.startswith("_dnf_local"):
            repo.disable()
            continue
        repo.skip_if_unavailable = True
        try:
            at = max(os.path.getmtime(os.path.join(repo._repo.getCachedir(), "repodata", name))
                     for name in os.listdir(os.path.join(repo._repo.getCachedir(), "repodata")))
        except (OSError, ValueError):
            at = None
        rows.append([repo.id, "yes" if repo.gpgcheck else "no", "-" if at is None else int(at)])
        if not repo.gpgcheck:
            repo.cost = 1000000
    write("plan-repos", rows)
    base.fill_sack(load_system_repo=True, load_available_repos=True)
    # The plugin that enforces them is not loaded.
    for line in versionlocks(conf):
        lock = line[0]
        if lock.startswith("!"):
            base.sack.add_excludes(dnf.subject.Subject(lock[1:]).get_best_query(base.sack).available())
            continue
        locked = dnf.subject.Subject(lock).get_best_query(base.sack)
        others = base.sack.query().available().filter(name=[package.name for package in locked]).difference(locked)
        if locked:
            base.sack.add_excludes(others)
    return dnf, base


def exactly(base, query, nevra):
    return [package for package in query.filter(nevra=[nevra]) if full(package) == nevra]


def with_epoch(nevra):
    head, release = nevra.rsplit("-", 1)
    name, version = head.rsplit("-", 1)
    return nevra if ":" in version else "%s-0:%s-%s" % (name, version, release)


def attempt(dnf, base, items, erasing):
    import hawkey

    base.reset(goal=True)
    before = {full(package): base.history.rpm.get_reason(package) for packages in
              base.sack.query().installed()._name_dict().values() if len(packages) > 1 for package in packages}
    for action, nevra in items:
        if action == "remove":
            found = exactly(base, base.sack.query().installed(), nevra)
        else:
            found = exactly(base, base.sack.query().available(), nevra)
            found.sort(key=lambda p: (not base.repos[p.reponame].gpgcheck, p.repo.priority, p.repo.cost, p.reponame))
        if not found:
            return 1, [], ["No match for argument: " + nevra]
        if action == "remove":
            # Unlike package_remove this takes unused dependencies along, where dnf is configured to.
            base.remove(nevra, forms=[hawkey.FORM_NEVRA])
        elif action == "downgrade":
            base.package_downgrade(found[0], strict=True)
        elif action == "upgrade":
            base.package_upgrade(found[0])
        else:
            base.package_install(found[0], strict=True)
    try:
        base.resolve(allow_erasing=erasing)
    except dnf.exceptions.Error as error:
        return 1, [], str(error).splitlines()
    rows = []
    for item in base.transaction or []:
        if ACTIONS.get(item.action) == "Reason Change":
            # For what is left of a package with several builds dnf notes the reason that it has already.
            if before.get(full(item)) != item.reason:
                rows.append("\t".join(["Reason Change", full(item), REASONS.get(item.reason, "None"), "@System", "-"]))
            continue
        package = item.pkg
        algorithm, digest = package.chksum or ("", b"")
        incoming = package.reponame != "@System"
        rows.append("\t".join([
            ACTIONS.get(item.action, str(item.action)), full(package), REASONS.get(item.reason, "None"),
            package.reponame if incoming else "@System",
            digest.hex() if incoming and len(digest) == 32 else "-"]))
    return 0, rows, []


def plan(items, mode, erasing):
    dnf, base = planning_base()
    with open(items) as file:
        wanted = [(action, what if action == "any" else with_epoch(what))
                  for action, what in (line.split() for line in file)]
    if mode == "offers":
        available, installed, digests = [], [], []
        for action, nevra in wanted:
            if action == "any":
                for package in base.sack.query().available().filter(name=[nevra]):
                    available.append([full(package), package.reponame])
                continue
            for package in exactly(base, base.sack.query().available(), nevra):
                available.append([nevra, package.reponame])
                algorithm, digest = package.chksum or ("", b"")
                if len(digest) == 32:
                    digests.append([nevra, package.reponame, digest.hex()])
            for package in exactly(base, base.sack.query().installed(), nevra):
                installed.append([nevra, package.reason, base.history.repo(package) or ""])
        write("offers", available)
        write("installed", installed)
        write("digests", digests)
        return
    lines = []
    for items in [wanted] if mode == "solve" else [[one] for one in wanted]:
        status, rows, said = attempt(dnf, base, items, erasing)
        lines.append(["x", status])
        lines.extend([["o", row] for row in rows])
        lines.extend([["e", line] for line in said])
    write("attempts", lines)


if task == "restart":
    private_dnf()
    import dnf.cli.main

    sys.exit(dnf.cli.main.main(["-q", "-C", "--setopt=keepcache=0", "needs-restarting", "-r"]))
elif task == "history":
    history(int(names))
elif task == "plan":
    plan(names, sys.argv[4], sys.argv[5] == "yes")
else:
    host(task == "lists")
PYTHON
}

# The interpreter of dnf4 itself, or any that may read an old history of dnf4.
find_python() {
    python=
    if [ "$generation" = 4 ]; then
        python=$(sed -n '1s/^#! *\([^ ]*\).*/\1/p' "$(command -v dnf)" 2>"$T/stderr")
        case $python in */env | '') python=python3 ;; esac
    elif command -v python3 >"$T/which"; then
        python=python3
    fi
    [ -z "$python" ] || write_dnf4
}

dnf4_run() {
    [ "$busy" = 0 ] || return 124
    run "$python" -I -B "$T/dnf4.py" "$T" "$@"
    status=$?
    [ "$status" != 124 ] && [ "$status" != 137 ] || busy=1
    return "$status"
}

# copy_state DATABASE DIRECTORY: a private copy that was not written to meanwhile.
copy_state() {
    mkdir -p "$2"
    for _ in 1 2; do
        before=$(stat -c '%n %i %s %y %z' "$1" "$1-wal" 2>"$T/stat")
        cp "$1" "$2/" 2>"$T/stderr" || return
        rm -f "$2/${1##*/}-wal"
        if [ -s "$1-wal" ]; then cp "$1-wal" "$2/" 2>"$T/stderr" || return; fi
        [ "$before" != "$(stat -c '%n %i %s %y %z' "$1" "$1-wal" 2>"$T/stat")" ] || return 0
    done
    printf 'it is being written to\n' >"$T/stderr"
    return 1
}

query_dnf4() {
    task=host
    if lists_wanted; then task=lists; fi
    dnf4_run "$task" "$T/listed"
    dnf4_status=$?
    cp "$T/stderr" "$T/dnf4-stderr"
    lists_status=$dnf4_status needed_status=$dnf4_status
    cp "$T/stderr" "$T/lists-stderr"
    cp "$T/stderr" "$T/needed-stderr"
    for list in origins installonly needed; do
        if [ -f "$T/dnf4.$list" ]; then mv "$T/dnf4.$list" "$T/$list"; fi
    done
}

answer_dnf4() {
    if [ -f "$T/dnf4.$1" ]; then
        sort "$T/dnf4.$1" | indent
        good
    elif [ "$generation" = 0 ]; then
        bad 1 no-dnf 'neither dnf5 nor dnf answers'
    else
        cp "$T/dnf4-stderr" "$T/stderr"
        bad_dnf "$dnf4_status"
    fi
}

# dnf4's history, also under dnf5: PackageKit writes only there on some releases.
history_dnf4() {
    [ -e "$STATE4/history.sqlite" ] || return 0
    if [ -z "$python" ]; then
        # Without Python it matters only if it is the newer one.
        newest5=$(stat -c %Y "$STATE5/transaction_history.sqlite" "$STATE5/transaction_history.sqlite-wal" 2>"$T/stat" | sort -n | tail -n 1)
        newest4=$(stat -c %Y "$STATE4/history.sqlite" "$STATE4/history.sqlite-wal" 2>"$T/stat" | sort -n | tail -n 1)
        [ "${newest4:-0}" -gt "${newest5:-0}" ] || return 0
        printf 'it is newer than the history of dnf5, and there is no python3 to read it\n' >"$T/stderr"
        return 1
    fi
    copy_state "$STATE4/history.sqlite" "$T/state4" && dnf4_run history "$CHANGES_MAX" && mv "$T/dnf4.history" "$T/history4"
}

# ------------------------------------------------------------------------------------------------------------- plan

# What the runner's own solver makes of wanted changes, with root's metadata and without a download. Nothing is changed:
# dnf5 is always told --assumeno, dnf4's transaction is resolved and dropped.

# Which instances are installed, so that a plan is for the set that was observed.
plan_base() {
    run rpm -qa --qf '%{NAME} %{DBINSTANCE}\n' >"$T/instances" || return
    sed '/^gpg-pubkey /d' "$T/instances" | sort | sha256sum | cut -c 1-64
}

section_base() {
    begin base
    base=$(plan_base)
    if [ -s "$T/instances" ] && [ -n "$base" ]; then
        printf ' %s\n' "$base"
        good
    else
        bad 1 rpmdb-unreadable
    fi
}

# Enabled repos, whether packages from there must be signed, and when root's copy of their metadata was last known good.
plan_repos_dnf5() {
    dnf5_plain -C --dump-repo-config='*' repo list >"$T/config" || return
    awk '/^======== ".*" repository configuration: ========$/ {
            flush(); sub(/^======== "/, ""); sub(/" repository configuration: ========$/, ""); id = $0
            enabled = "1"; check = ""; package = ""; next
        }
        /^repo id +repo name/ { flush(); id = ""; next }
        $1 == "enabled" && $2 == "=" { enabled = $3 }
        $1 == "gpgcheck" && $2 == "=" { check = $3 }
        $1 == "pkg_gpgcheck" && $2 == "=" { package = $3 }
        END { flush() }
        function flush() {
            if (id != "" && enabled == "1") print id, ((package == "" ? check : package) == "1" ? "yes" : "no")
        }' "$T/config" >"$T/enabled"
    while read -r id check; do
        cache=$(newest_cache /var/cache/libdnf5 "$id")
        printf '%s\t%s\t%s\n' "$id" "$check" "$(cached_at "$cache")"
    done <"$T/enabled" | sort >"$T/plan-repos"
}

# newest_cache DIRECTORY ID: where the metadata of a repo is.
newest_cache() {
    (
        set +f
        for found in "$1/$2"-????????????????; do
            case ${found#"$1/$2"-} in *[!0-9a-f]*) continue ;; esac
            [ -f "$found/repodata/repomd.xml" ] && printf '%s %s\n' "$(cached_at "$found")" "$found"
        done
    ) | sort -n | tail -n 1 | cut -d ' ' -f 2-
}

# When a metadata file in there was last written or found unchanged, - without any.
cached_at() {
    (
        set +f
        at=-
        [ -z "$1" ] || at=$(stat -c %Y "$1"/repodata/* 2>"$T/stat" | sort -n | tail -n 1)
        printf '%s\n' "${at:--}"
    )
}

section_plan_repos() {
    begin repos
    if [ "$repos_status" = 0 ]; then
        indent <"$T/plan-repos"
        good "$(wc -l <"$T/plan-repos")"
    else
        cp "$T/repos-stderr" "$T/stderr"
        bad_dnf "$repos_status"
    fi
}

# The sha256 of each wanted package's file, from the metadata that root's dnf checked and keeps.
plan_digests() {
    : >"$T/digests"
    cut -f 2 "$T/offers" | sort -u >"$T/offering"
    while read -r id; do
        cache=$(newest_cache /var/cache/libdnf5 "$id")
        [ -n "$cache" ] || continue
        href=$(awk -v RS='<data ' '/^type="primary"/ && match($0, /<location [^>]*href="[^"]*"/) {
            text = substr($0, RSTART, RLENGTH); gsub(/^.*href="|"$/, "", text); print text; exit }' "$cache/repodata/repomd.xml")
        primary=$cache/repodata/${href##*/}
        case $primary in
        *[!A-Za-z0-9._/+:-]*) continue ;;
        *.xml) io=ufdio ;;
        *.gz) io=gzdio ;;
        *.zst) io=zstdio ;;
        *.xz) io=xzdio ;;
        *.bz2) io=bzdio ;;
        *) continue ;;
        esac
        # rpm reads everything that packages are compressed with; the program zstd need not be there.
        # shellcheck disable=SC2016 # awk's own fields
        { wait=30; run rpm --eval "%{lua: local file = rpm.open('$primary', 'r.$io')
            while true do
                local part = file:read(65536)
                if not part or #part == 0 then break end
                io.stdout:write(part)
            end}"; } | timeout -k 2 30 awk -v repo="$id" -v items="$T/nevras" '
            function between(start, stop,   text) {
                if (!match($0, start "[^<>]*" stop)) return ""
                text = substr($0, RSTART, RLENGTH)
                sub(start, "", text); sub(stop "$", "", text)
                return text
            }
            BEGIN {
                OFS = "\t"
                while ((getline line < items) > 0) wanted[line] = 1
                RS = "</package>"
            }
            {
                if (!match($0, /<version [^>]*>/)) next
                version = substr($0, RSTART, RLENGTH)
                split("", value)
                count = split(version, part, "\"")
                for (i = 1; i < count; i += 2) { key = part[i]; gsub(/[^a-z]/, "", key); sub(/^version/, "", key); value[key] = part[i + 1] }
                nevra = between("<name>", "</name>") "-" (value["epoch"] == "" ? 0 : value["epoch"]) ":" value["ver"] "-" \
                    value["rel"] "." between("<arch>", "</arch>")
                if (!(nevra in wanted)) next
                sum = between("<checksum [^>]*>", "</checksum>")
                if (sum ~ /^[0-9a-f]+$/ && length(sum) == 64) print nevra, repo, sum
            }' >>"$T/digests"
    done <"$T/offering"
}

plan_offers_dnf5() {
    : >"$T/offers"
    : >"$T/installed"
    [ -s "$T/items" ] || return 0
    tab='	'
    # shellcheck disable=SC2046 # validated packages, and globbing is off
    dnf5_run -C --setopt=cachedir=/var/cache/libdnf5 repoquery --available --qf "%{full_nevra}$tab%{repoid}\n" \
        $(cut -d ' ' -f 2 "$T/items") >"$T/offers" &&
        dnf5_run repoquery --installed --qf "%{full_nevra}$tab%{reason}$tab%{from_repo}\n" \
            $(cut -d ' ' -f 2 "$T/items") >"$T/installed" || return
    if [ "$digests" = yes ]; then
        cut -f 1 "$T/offers" | sort -u >"$T/nevras"
        plan_digests
    fi
}

# rows SECTION FILE STATUS
section_rows() {
    begin "$1"
    if [ "$3" = 0 ]; then
        sort -u "$2" >"$T/rows"
        indent <"$T/rows"
        good "$(wc -l <"$T/rows")"
    else
        cp "$T/offers-stderr" "$T/stderr"
        bad_dnf "$3"
    fi
}

# What could bring an outgoing package back besides a repo: the local plugin's copy, a snapshot.
section_keeps() {
    begin keeps
    snapper=no
    if command -v snapper >"$T/which" && [ -d /etc/snapper/configs ]; then snapper=yes; fi
    printf ' snapper\t%s\n' "$snapper"
    (
        set +f
        while read -r action nevra; do
            # The names of files have no epoch.
            file=$(printf '%s\n' "$nevra" | sed 's/-[0-9]*:\([^-]*-[^-]*\)$/-\1/')
            for path in /var/lib/dnf/plugins/local*/"$file.rpm"; do
                if [ -f "$path" ]; then printf 'local\t%s\n' "$nevra"; break; fi
            done
        done <"$T/items"
    ) | indent
    good
}

# Root's cache, in a directory of ours. Before dnf5 solves for the first time with what a timer has fetched, it writes down
# which files the packages ask each other for, beside what it read; in root's cache it may not, and would end.
solving_cache() {
    [ ! -d "$T/solving" ] || return 0
    mkdir "$T/solving"
    (
        set +f
        for cache in /var/cache/libdnf5/*-????????????????; do
            [ -d "$cache/repodata" ] || continue
            own=$T/solving/${cache##*/}
            mkdir -p "$own/solv"
            for part in "$cache"/*; do [ "${part##*/}" = solv ] || ln -s "$part" "$own/"; done
            for part in "$cache"/solv/*; do [ ! -f "$part" ] || ln -s "$part" "$own/solv/"; done
        done
    )
}

# An unsigned repo is the last of those that offer the same build.
plan_costs() {
    awk -F '\t' '$2 == "no" && $1 ~ /^[A-Za-z0-9][A-Za-z0-9._+:-]*$/ { print "--setopt=" $1 ".cost=1000000" }' "$T/plan-repos"
}

# One resolution of the items in a file; what dnf says is told as it is, line by line.
attempt_dnf5() {
    set --
    while read -r action nevra; do set -- "$@" "--action=$action" "$nevra"; done <"$T/attempt"
    if [ "$erasing" = yes ]; then set -- --allowerasing "$@"; fi
    solving_cache
    # shellcheck disable=SC2046 # ids of repos without blanks
    dnf5_plain -C --setopt=cachedir="$T/solving" $(plan_costs) --assumeno "do" --type=package "$@" >"$T/stdout"
    status=$?
    printf ' x\t%s\n' "$status"
    head -c 1048576 "$T/stdout" | printable | awk '{ print " o\t" $0 }'
    head -c 16384 "$T/stderr" | printable | awk '{ print " e\t" $0 }'
}

section_attempts() {
    begin attempts
    if [ "$repos_status" != 0 ]; then
        cp "$T/repos-stderr" "$T/stderr"
        bad_dnf "$repos_status"
        return
    fi
    case $generation in
    4) awk '{ print " " $0 }' "$T/dnf4.attempts" | printable ;;
    *)
        if [ "$plan" = solve ]; then
            cp "$T/items" "$T/attempt"
            attempt_dnf5
        else
            while read -r line <&3; do
                printf '%s\n' "$line" >"$T/attempt"
                attempt_dnf5
            done 3<"$T/items"
        fi
        ;;
    esac
    good
}

answer_plan() {
    detect_dnf
    find_python
    section_base
    first=$base
    offers_status=0
    : >"$T/plan-repos"
    case $generation in
    5)
        plan_repos_dnf5
        repos_status=$?
        cp "$T/stderr" "$T/repos-stderr"
        if [ "$plan" = offers ]; then
            plan_offers_dnf5
            offers_status=$?
        fi
        ;;
    4)
        if [ -e "$STATE4/history.sqlite" ]; then copy_state "$STATE4/history.sqlite" "$T/state4"; fi
        dnf4_run plan "$T/items" "$plan" "$erasing"
        repos_status=$?
        offers_status=$repos_status
        cp "$T/stderr" "$T/repos-stderr"
        if [ "$repos_status" = 0 ]; then
            for list in plan-repos offers installed digests; do
                if [ -f "$T/dnf4.$list" ]; then mv "$T/dnf4.$list" "$T/$list"; fi
            done
        fi
        ;;
    *)
        printf 'neither dnf5 nor dnf answers\n' >"$T/stderr"
        repos_status=1
        offers_status=1
        cp "$T/stderr" "$T/repos-stderr"
        ;;
    esac
    cp "$T/stderr" "$T/offers-stderr"
    begin generation
    printf ' %s\n' "$generation"
    good
    section_plan_repos
    if [ "$plan" = offers ]; then
        section_rows offers "$T/offers" "$offers_status"
        section_rows installed "$T/installed" "$offers_status"
        if [ "$digests" = yes ]; then section_rows digests "$T/digests" "$offers_status"; fi
        section_keeps
    else
        section_attempts
    fi
    require_room
    base=$(plan_base)
    begin stable
    if [ "$first" = "$base" ]; then printf ' yes\n'; else printf ' no\n'; fi
    good
    printf 'end %s\n' "$sections"
    printf 'bye %s\n' "$nonce"
}

# ------------------------------------------------------------------------------------------------------------- main

main() {
    # What a killed probe of ours left behind.
    if command -v find >/dev/null; then
        find /tmp -maxdepth 1 -name 'countersign-probe.*' -user "$(id -u)" -mtime +0 -exec rm -rf {} + 2>/dev/null
    fi
    T=$(mktemp -d /tmp/countersign-probe.XXXXXX) || refuse temporary 'no temporary directory'
    trap 'rm -rf "$T"' EXIT
    trap 'exit 1' HUP INT TERM PIPE
    mkdir "$T/home"
    cd "$T/home" || refuse temporary 'no temporary directory'
    : >"$T/stderr"
    wait=10 busy=0 plan=- erasing=no digests=no nonce='' known_packages=- known_history=- iconv=0
    if command -v iconv >"$T/which"; then iconv=1; fi
    read_request
    dbpath=$(run rpm --eval '%{_dbpath}') || refuse no-rpm 'rpm does not answer'

    printf '%s answer %s\n' "$MAGIC" "$nonce"
    if [ "$plan" != - ]; then
        answer_plan
        return
    fi
    section_os
    section_kernel
    section_selinux
    detect_dnf
    read_rpm
    read_tokens
    find_python
    lists_status=0 needed_status=0 dnf4_status=0
    case $generation in
    4)
        if [ -e "$STATE4/history.sqlite" ]; then copy_state "$STATE4/history.sqlite" "$T/state4"; fi
        query_dnf4
        ;;
    5) if lists_wanted; then query_dnf5; fi ;;
    esac
    section_dnf
    section_packages
    section_needed
    section_history
    section_tokens
    section_repos
    section_versionlocks
    section_config
    section_modules
    section_locks
    section_reboot
    section_privileges
    section_metadata
    section_avc
    first=$cookie
    read_rpm
    begin stable
    if [ "$first" = "$cookie" ]; then printf ' yes\n'; else printf ' no\n'; fi
    good
    printf 'end %s\n' "$sections"
    printf 'bye %s\n' "$nonce"
}

main
