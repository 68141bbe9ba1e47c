# What the warden asks of dnf4, through dnf's own library. Written into the warden's directory and run by dnf's own
# interpreter, isolated; no plugin is loaded. Arguments: TASK FILE, where FILE is JSON of the warden's making.
import json, os, shutil, sys

import dnf
import dnf.callback
import dnf.conf
import dnf.const
import dnf.exceptions
import dnf.rpm
import dnf.transaction_sr
import dnf.yum.rpmtrans

ACTIONS = {1: "Install", 2: "Downgrade", 3: "Downgraded", 4: "Obsolete", 5: "Obsoleted", 6: "Upgrade", 7: "Upgraded",
           8: "Removed", 9: "Reinstall", 10: "Reinstalled", 11: "Reason Change"}
REASONS = {0: "None", 1: "Dependency", 2: "User", 3: "Clean", 4: "Weak Dependency", 5: "Group"}
REASON_CHANGE = 11


def fail(text):
    sys.stderr.write(text.rstrip("\n") + "\n")
    sys.exit(1)


def full(package):
    return "%s-%d:%s-%s.%s" % (package.name, package.epoch, package.version, package.release, package.arch)


def open_base(ask):
    dnf.const.TMPDIR = ask["home"] + "/"
    base = dnf.Base()
    conf = base.conf
    conf.read(priority=dnf.conf.PRIO_MAINCONFIG)
    conf.cachedir = os.path.join(ask["home"], "cache")
    conf.logdir = ask["home"]
    conf.assumeyes = True
    conf.strict = True
    conf.install_weak_deps = False
    conf.clean_requirements_on_remove = False
    conf.releasever = dnf.rpm.detect_releasever(conf.installroot) or ""
    conf.substitutions.update_from_etc(conf.installroot, varsdir=conf._get_value("varsdir"))
    return base


def checked(ask):
    base = open_base(ask)
    base.read_all_repos()
    repo = base.repos.get(ask["repo"])
    print("absent" if repo is None or not repo.enabled else "yes" if repo.gpgcheck else "no")


def download(ask):
    base = open_base(ask)
    base.read_all_repos()
    for repo in base.repos.all():
        if repo.id.startswith("_dnf_local") or ask["repo"] not in (None, repo.id):
            repo.disable()
    base.fill_sack(load_system_repo=False, load_available_repos=True)
    available = base.sack.query().available()
    found = []
    for nevra in ask["nevras"]:
        packages = [package for package in available.filter(nevra=[nevra]) if str(package) == nevra]
        if not packages and ask["repo"] is not None:
            fail("No match for argument: " + nevra)
        found.extend(packages)
    base.download_packages(found)
    for number, package in enumerate(found):
        shutil.copyfile(package.localPkg(), os.path.join(ask["into"], "%d-%s.rpm" % (number, package.name)))


def resolve(ask):
    base = open_base(ask)
    conf = base.conf
    conf.localpkg_gpgcheck = ask["signed"]
    conf.gpgcheck = True
    if ask["back"]:
        conf.disable_excludes = ["all"]
        conf.protected_packages = []
    base.fill_sack(load_system_repo=True, load_available_repos=False)
    files = [rpm["file"] for rpm in ask["rpms"] if rpm["file"] is not None]
    if files:
        base.add_remote_rpms(files, strict=True)
    data = {"version": "0.0", "rpms": [
        {"action": rpm["action"], "nevra": rpm["nevra"], "reason": rpm["reason"],
         "repo_id": "@System" if rpm["file"] is None else "@commandline"} for rpm in ask["rpms"]]}
    replay = dnf.transaction_sr.TransactionReplay(base, data=data)
    replay.run()
    base.resolve()
    replay.post_transaction()
    rows = []
    for item in base.transaction or []:
        if item.action == REASON_CHANGE:
            continue
        package = item.pkg
        incoming = package.reponame != "@System"
        rows.append([ACTIONS.get(item.action, str(item.action)), full(package), REASONS.get(item.reason, "None"),
                     "@commandline" if incoming else "@System", "-"])
    # A change of reason has no package of its own in there; what it leads to is looked at afterwards.
    rows.extend(["Reason Change", rpm["nevra"], rpm["reason"], "@System", "-"]
                for rpm in ask["rpms"] if rpm["action"] == "Reason Change")
    return base, rows


class Progress(dnf.yum.rpmtrans.TransactionDisplay):
    def error(self, message):
        sys.stderr.write("%s\n" % message)

    def scriptout(self, msgs):
        # rpm's own words: bytes, with their line ends.
        if msgs:
            text = msgs.decode("utf-8", "replace") if isinstance(msgs, bytes) else msgs
            sys.stdout.write("%s\n" % text.rstrip("\n"))


def replay(ask):
    import rpm

    base, rows = resolve(ask)
    expected = sorted((move["action"], move["nevra"]) for move in ask["rpms"])
    seen = sorted((row[0], row[1].replace("-0:", "-", 1)) for row in rows)
    if seen != expected:
        fail("inside dnf the transaction is another one: %s" % (set(seen) ^ set(expected)))
    for package in base.transaction.install_set:
        result, message = base.package_signature_check(package)
        if result != 0:
            fail("%s: %s" % (package, message))
    if ask["signed"]:
        rpm.addMacro("_pkgverify_level", "all")
    base.args = ask["command"]
    base.do_transaction(display=[Progress()])
    failed = [str(item.pkg) for item in base.transaction if item.action != REASON_CHANGE and item.state != 1]
    if failed:
        fail("not done: " + ", ".join(failed))


task, path = sys.argv[1], sys.argv[2]
with open(path) as file:
    ask = json.load(file)
try:
    if task == "resolve":
        for row in resolve(ask)[1]:
            print("\t".join(row))
    else:
        {"checked": checked, "download": download, "replay": replay}[task](ask)
except dnf.exceptions.Error as error:
    fail(str(error))
