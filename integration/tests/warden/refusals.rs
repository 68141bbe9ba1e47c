//! Everything that the runner itself refuses, by real means, and a runner that is byte for byte as before.

use countersign_integration::lab::{Base, Lab, LabConfig, turn};
use countersign_manifests_schema::bundle::{Bundle, SignedText};
use countersign_manifests_schema::lease::{LEASE_NAMESPACE, Lease};
use countersign_manifests_schema::token::{TOKEN_NAMESPACE, Token};
use countersign_manifests_schema::transaction::{Action, Reason};
use countersign_manifests_schema::warden::{NEVER_STARTED, Stage, WardenAnswer, WardenRequest};
use countersign_shared::proposal::Sealed;
use countersign_shared::warden::{self, REQUEST_MAX};

use crate::forge::Forge;
use crate::house::{House, STATE, waits};
use crate::people::{Nonce, People, minutes, signed, text};

/// The runner refuses to stage it for this reason, and nothing moves.
fn refused(house: &House<'_>, what: &str, code: &str, sealed: &Sealed) {
    let bundle = house.people.approve(sealed, &[&house.people.mira]);
    refused_bundle(house, what, code, &bundle);
}

fn refused_bundle(house: &House<'_>, what: &str, code: &str, bundle: &Bundle) {
    let before = house.state();
    let (said, message) = house.stage(bundle).expect_err(what);
    eprintln!("{}: {what}: {said}: {message}", house.runner.name);
    assert_eq!(said, code, "{what}: {message}");
    before.assert_same(&house.state(), what);
    assert!(!house.runner.root.join(&STATE[1..]).join("staged").exists(), "{what}");
}

#[test]
fn packages_that_are_not_what_was_approved_are_refused() {
    let Some(_turn) = turn("packages_that_are_not_what_was_approved_are_refused") else {
        return;
    };
    let lab = Lab::up(&LabConfig::new([("five", Base::Dnf5), ("four", Base::Dnf4)])).unwrap();
    let people = People::new();
    let workshop = lab.runner("five");
    let forge = Forge::new(&lab, workshop, "side");
    forge.build("evil", "1.0", "1", "");
    for runner in lab.runners() {
        let house = House::new(&lab, runner, &people, "");

        forge.build("tool", "1.0", "1", "");
        let good = house.propose(vec![forge.install("tool", "1.0")]);
        // Other bytes under the same NEVRA, signed as well.
        forge.build("tool", "1.0", "1", "%post\ntouch /opt/owned\n");
        refused(&house, "other bytes under the same NEVRA", "transaction-differs", &good);

        let other = house.propose(vec![forge.install("tool", "1.0")]);
        forge.strip("tool-1.0-1.noarch.rpm");
        let unsigned = house.propose(vec![forge.install("tool", "1.0")]);
        refused(&house, "another file than was approved, unsigned", "transaction-differs", &other);
        refused(&house, "an unsigned package, approved as it is", "unsigned-repo", &unsigned);

        forge.disguise("evil", "honest");
        let disguised = house.propose(vec![forge.install("honest", "1.0")]);
        refused(&house, "a package whose content is not its name", "transaction-differs", &disguised);
        forge.index();

        runner.sh("sed -i '/^.extra.$/,/^$/s/^enabled=0/enabled=1/' /etc/yum.repos.d/lab.repo").unwrap();
        let loose =
            house.propose(vec![house.change(Action::Install, "vendor-tool-2.4-1.noarch", Reason::User, "extra")]);
        refused(&house, "a repository without gpgcheck", "unsigned-repo", &loose);
        runner.sh("sed -i '/^.extra.$/,/^$/s/^enabled=1/enabled=0/' /etc/yum.repos.d/lab.repo").unwrap();
        let disabled =
            house.propose(vec![house.change(Action::Install, "vendor-tool-2.4-1.noarch", Reason::User, "extra")]);
        refused(&house, "a repository that is not enabled", "transaction-differs", &disabled);

        // A transaction that is not closed: dnf would have to take more.
        house.plant_llvm();
        let mut part = house.llvm_back();
        part.retain(|change| change.nevra.starts_with("llvm-") && !change.nevra.starts_with("llvm-libs"));
        refused(&house, "a transaction that is not closed", "transaction-differs", &house.propose(part));
        // What nobody offers any more cannot come back.
        runner.sh("rpm -i /srv/lab/loose/site-agent-7.1-1.noarch.rpm").unwrap();
        let gone =
            house.propose(vec![house.change(Action::Remove, "site-agent-7.1-1.noarch", Reason::ExternalUser, "")]);
        refused(&house, "no way back", "irreversible", &gone);
        // A way that dnf does not go: the prediction is of another set.
        let mut wrong = house.proposal(house.llvm_back());
        wrong.predicted.set_digest = "0".repeat(64);
        refused(&house, "a prediction of another set", "transaction-differs", &Sealed::new(wrong).unwrap());
        assert!(!runner.root.join("opt/owned").exists());
        assert_eq!(house.started(), []);
    }
}

#[test]
fn a_machine_or_a_policy_that_says_no_is_obeyed() {
    let Some(_turn) = turn("a_machine_or_a_policy_that_says_no_is_obeyed") else {
        return;
    };
    let lab = Lab::up(&LabConfig::new([("five", Base::Dnf5), ("four", Base::Dnf4)])).unwrap();
    let people = People::new();
    for runner in lab.runners() {
        let house = House::new(&lab, runner, &people, "");
        house.plant_llvm();
        let sealed = house.propose(house.llvm_back());
        let two = |more: &str| {
            house.configure(more);
            refused(&house, more, "insufficient-approvals", &sealed);
            let both = people.approve(&sealed, &[&people.mira, &people.juno]);
            house.stage(&both).unwrap();
            runner.sh(&format!("rm -rf {STATE}/staged")).unwrap();
        };
        two("required = 2");
        two("protected = [\"clang-tools-extra\"]");
        house.configure("require_touch = true");
        runner.sh("sed -i '/^require_touch = false/d' /etc/countersign/warden.toml").unwrap();
        refused(&house, "a touch is wanted", "not-human", &sealed);
        house.configure("max_age = \"30m\"\nconfirm_within = \"2h\"");
        refused(&house, "too old", "expired", &sealed);
        // The gates judge by what it says of itself.
        let inspection = house.inspect();
        assert_eq!((inspection.max_age, inspection.confirm_within), (30 * 60, 2 * 3600));
        runner.write("/etc/countersign/no", "#!/bin/sh\necho a build is running\nexit 1\n", 0o755).unwrap();
        house.configure("busy = \"/etc/countersign/no\"");
        refused(&house, "in use", "runner-busy", &sealed);
        house.configure("");
        runner.write("/etc/countersign/HALT", "llvm looks wrong\n", 0o644).unwrap();
        refused(&house, "halted", "halted", &sealed);
        assert_eq!(house.inspect().halted.as_deref(), Some("llvm looks wrong"));
        runner.sh("rm /etc/countersign/HALT").unwrap();
        let revoked = "revoked = \"/etc/countersign/revoked\"";
        runner.write("/etc/countersign/revoked", people.mira.public() + "\n", 0o644).unwrap();
        house.configure(revoked);
        refused(&house, "a revoked key", "not-human", &sealed);

        // A program's key is nobody, though it is among the approvers: alone, and beside a person.
        let bots = format!("bots = [\"{}\"]", people.mira.public());
        house.configure(&bots);
        refused(&house, "a bot's key", "not-human", &sealed);
        let both = people.approve(&sealed, &[&people.mira, &people.juno]);
        house.configure(&format!("{bots}\nrequired = 2"));
        assert_eq!(house.stage(&both).unwrap_err().0, "insufficient-approvals");
        house.configure(&bots);
        house.stage(&both).unwrap();
        runner.sh(&format!("rm -rf {STATE}/staged")).unwrap();
        let listed = people.approvers() + &format!("notary@example.org {}\n", people.notary.public());
        runner.write("/etc/countersign/approvers", listed, 0o644).unwrap();
        let by_notary = people.approve(&sealed, &[&people.notary]);
        assert_eq!(house.stage(&by_notary).unwrap_err().0, "not-human");
        house.configure("");

        // What others than root could have written decides nothing.
        for path in ["/etc/countersign/approvers", "/etc/countersign/warden.toml", "/etc/countersign/notary.pub"] {
            runner.sh(&format!("chmod o+w {path}")).unwrap();
            refused(&house, path, "warden", &sealed);
            runner.sh(&format!("chmod o-w {path}; chown builder {path}")).unwrap();
            refused(&house, path, "warden", &sealed);
            runner.sh(&format!("chown root {path}")).unwrap();
        }
        for (command, back) in [
            (format!("mv {STATE}/memory.json /root/m"), format!("mv /root/m {STATE}/memory.json")),
            (
                format!("cp {STATE}/memory.json /root/m; echo >{STATE}/memory.json"),
                format!("mv /root/m {STATE}/memory.json"),
            ),
        ] {
            runner.sh(&command).unwrap();
            refused(&house, "no memory", "spent", &sealed);
            runner.sh(&back).unwrap();
        }

        // Somebody else is installing.
        let held = countersign_integration::lab::plant::hold_dnf(runner).unwrap();
        let (code, _) = house.stage(&people.approve(&sealed, &[&people.mira])).unwrap_err();
        assert_eq!(code, "dnf-busy");
        held.release().unwrap();
        runner.sh(&format!("{} -y remove blocking-pre strace >/dev/null", runner.dnf())).unwrap();

        // What it names moved; something else moved; the configuration moved.
        let bundle = people.approve(&sealed, &[&people.mira]);
        let nonce = house.stage(&bundle).unwrap();
        runner
            .sh(&format!(
                "{} -y downgrade clang-tools-extra-19.1.0 llvm-19.1.0 llvm-libs-19.1.0 >/dev/null",
                runner.dnf()
            ))
            .unwrap();
        let before = house.state();
        let (code, message) = house.apply(&house.with_token(bundle.clone(), &sealed, &nonce)).unwrap_err();
        eprintln!("{}: moved after staging: {code}: {message}", runner.name);
        assert_eq!(code, "state-moved");
        before.assert_same(&house.state(), "moved after staging");
        refused(&house, "moved before staging", "state-moved", &sealed);
        house.plant_llvm();
        runner.sh("printf '\\n[main]\\n' >>/dev/null; sed -i '/^.updates.$/,/^$/s/^enabled=1/enabled=0/' /etc/yum.repos.d/lab.repo").unwrap();
        refused(&house, "another configuration", "state-moved", &sealed);
        runner.sh("sed -i '/^.updates.$/,/^$/s/^enabled=0/enabled=1/' /etc/yum.repos.d/lab.repo").unwrap();
        runner.sh(&format!("{} -y install strace >/dev/null", runner.dnf())).unwrap();
        house.stage(&bundle).expect("a package that it does not name may change");
        assert_eq!(house.started(), []);
    }
}

#[test]
fn what_is_taken_back_before_it_began_never_begins() {
    let Some(_turn) = turn("what_is_taken_back_before_it_began_never_begins") else {
        return;
    };
    let lab = Lab::up(&LabConfig::new([("five", Base::Dnf5)])).unwrap();
    let people = People::new();
    let house = House::new(&lab, lab.runner("five"), &people, "");
    house.plant_llvm();
    let sealed = house.propose(house.llvm_back());
    let bundle = house.permitted(&sealed, &[&people.mira]);
    let before = house.state();
    // Whoever would keep it, or means another one, ends nothing.
    assert_eq!(house.confirm(sealed.id(), true).unwrap_err().0, NEVER_STARTED);
    assert_eq!(house.confirm(&"0".repeat(64), false).unwrap_err().0, NEVER_STARTED);
    assert!(house.runner.root.join(&STATE[1..]).join("staged").exists());
    // The actuator has heard nothing; its request to apply comes late.
    assert_eq!(house.confirm(sealed.id(), false).unwrap_err().0, NEVER_STARTED);
    assert_eq!(house.apply(&bundle).unwrap_err().0, "no-token");
    before.assert_same(&house.state(), "too late");
    assert_eq!(house.started(), []);
    // It was not spent: people may have it staged again.
    waits(&house.carry_out(&sealed));
}

/// The bundle with one thing of its token's text changed, signed by the notary all the same.
fn with_other_token(house: &House<'_>, bundle: &Bundle, change: impl FnOnce(&mut Token)) -> Bundle {
    let mut token: Token = serde_json::from_str(&bundle.token.as_ref().unwrap().text).unwrap();
    change(&mut token);
    Bundle { token: Some(signed(&token, &house.people.notary, TOKEN_NAMESPACE)), ..bundle.clone() }
}

fn with_other_lease(house: &House<'_>, bundle: &Bundle, change: impl FnOnce(&mut Lease)) -> Bundle {
    let mut lease: Lease = serde_json::from_str(&bundle.lease.as_ref().unwrap().text).unwrap();
    change(&mut lease);
    let lease = signed(&lease, &house.people.mira, LEASE_NAMESPACE);
    let digest = countersign_shared::canonical_json::sha256(lease.text.as_bytes());
    let bundle = Bundle { lease: Some(lease), ..bundle.clone() };
    with_other_token(house, &bundle, |token| token.lease = digest)
}

#[test]
fn an_actuator_host_in_other_hands_moves_nothing() {
    let Some(_turn) = turn("an_actuator_host_in_other_hands_moves_nothing") else {
        return;
    };
    let lab = Lab::up(&LabConfig::new([("five", Base::Dnf5), ("other", Base::Dnf5)])).unwrap();
    let people = People::new();
    let stranger = People::new();
    let house = House::new(&lab, lab.runner("five"), &people, "");
    let other = House::new(&lab, lab.runner("other"), &people, "");
    house.plant_llvm();
    other.plant_llvm();
    let old = house.propose(house.llvm_back());
    let sealed = house.propose(house.llvm_back());

    // Approvals that are none.
    let nobody = Bundle { statements: Vec::new(), ..people.approve(&sealed, &[&people.mira]) };
    refused_bundle(&house, "nobody approved it", "not-human", &nobody);
    refused_bundle(&house, "a stranger approved it", "not-human", &people.approve(&sealed, &[&stranger.mira]));
    refused_bundle(&house, "the notary approved it", "not-human", &people.approve(&sealed, &[&people.notary]));
    let twisted = Bundle { statements: people.approve(&old, &[&people.mira]).statements, ..nobody.clone() };
    refused_bundle(&house, "an approval of another proposal", "not-human", &twisted);
    let edited = Bundle {
        proposal: nobody.proposal.replace("\"User\"", "\"Group\""),
        ..people.approve(&sealed, &[&people.mira])
    };
    refused_bundle(&house, "an edited proposal", "not-human", &edited);
    let token = house.with_token(
        people.approve(&sealed, &[&people.mira]),
        &sealed,
        &Nonce { nonce: "0".repeat(64), staged: "0".repeat(64) },
    );
    refused_bundle(&house, "a token before there is a staging", "request", &token);
    refused_bundle(&other, "a proposal for another runner", "request", &people.approve(&sealed, &[&people.mira]));

    // Permissions that are none. Each is tried on a staging that is good.
    let approved = people.approve(&sealed, &[&people.mira]);
    let before = house.state();
    let mut tried = 0;
    let mut no = |what: &str, code: &str, make: &dyn Fn(&Bundle, &Nonce) -> Bundle| {
        let nonce = house.stage(&approved).unwrap();
        let good = house.with_token(approved.clone(), &sealed, &nonce);
        let (said, message) = house.apply(&make(&good, &nonce)).expect_err(what);
        eprintln!("{what}: {said}: {message}");
        assert_eq!(said, code, "{what}: {message}");
        before.assert_same(&house.state(), what);
        tried += 1;
    };
    no("no token", "no-token", &|good, _| Bundle { token: None, ..good.clone() });
    no("no lease", "no-lease", &|good, _| Bundle { lease: None, ..good.clone() });
    no("neither", "no-lease", &|good, _| Bundle { lease: None, token: None, ..good.clone() });
    no("a token by a stranger", "no-token", &|good, _| {
        let token: Token = serde_json::from_str(&good.token.as_ref().unwrap().text).unwrap();
        Bundle { token: Some(signed(&token, &stranger.notary, TOKEN_NAMESPACE)), ..good.clone() }
    });
    no("a token of another purpose", "no-token", &|good, _| {
        let token: Token = serde_json::from_str(&good.token.as_ref().unwrap().text).unwrap();
        Bundle { token: Some(signed(&token, &people.notary, LEASE_NAMESPACE)), ..good.clone() }
    });
    no("a token for another proposal", "no-token", &|good, _| {
        with_other_token(&house, good, |token| token.proposal = old.id().to_owned())
    });
    no("a token for another runner", "no-token", &|good, _| {
        with_other_token(&house, good, |token| token.runner = "other".to_owned())
    });
    no("a token for another nonce", "no-token", &|good, _| {
        with_other_token(&house, good, |token| token.nonce = "0".repeat(64))
    });
    no("a token for another staged set", "no-token", &|good, _| {
        with_other_token(&house, good, |token| token.staged = "0".repeat(64))
    });
    no("a token for another lease", "no-token", &|good, _| {
        with_other_token(&house, good, |token| token.lease = "0".repeat(64))
    });
    no("a token that is over", "no-token", &|good, _| {
        with_other_token(&house, good, |token| {
            token.issued = minutes(-11);
            token.expires = minutes(-1);
        })
    });
    no("a token that lasts too long", "no-token", &|good, _| {
        with_other_token(&house, good, |token| token.expires = minutes(60))
    });
    no("a lease by a stranger", "no-lease", &|good, _| {
        let lease: Lease = serde_json::from_str(&good.lease.as_ref().unwrap().text).unwrap();
        Bundle { lease: Some(signed(&lease, &stranger.mira, LEASE_NAMESPACE)), ..good.clone() }
    });
    no("a lease for other proposals", "no-lease", &|good, _| {
        with_other_lease(&house, good, |lease| lease.proposals = vec![old.id().to_owned()])
    });
    no("a lease that is over", "no-lease", &|good, _| {
        with_other_lease(&house, good, |lease| {
            lease.issued = minutes(-40);
            lease.expires = minutes(-20);
        })
    });
    no("a lease that lasts too long", "no-lease", &|good, _| {
        with_other_lease(&house, good, |lease| lease.expires = minutes(31))
    });
    no("the nonce of an older staging", "no-token", &|good, _| {
        house.stage(&approved).unwrap();
        good.clone()
    });
    no("staged files that were changed", "transaction-differs", &|good, _| {
        house.runner.sh(&format!("for f in {STATE}/staged/incoming-0/*.rpm; do echo >>$f; done")).unwrap();
        good.clone()
    });
    no("a staging of another boot", "no-token", &|good, _| {
        house.runner.sh(&format!("sed -i 's/\"boot\":\"[0-9a-f]/\"boot\":\"x/' {STATE}/staged/staged.json")).unwrap();
        good.clone()
    });
    eprintln!("{tried} permissions that are none");

    // Input that is none.
    let good = warden::request(&WardenRequest::Stage { bundle: text(&approved) });
    let oversized = {
        let json = vec![b' '; REQUEST_MAX + 1];
        let head =
            format!("countersign-warden/1 {} {}\n", json.len(), countersign_shared::canonical_json::sha256(&json));
        [head.into_bytes(), json].concat()
    };
    let inputs: [(&str, Vec<u8>); 7] = [
        ("nothing", Vec::new()),
        ("truncated", good[..good.len() - 1].to_vec()),
        ("doubled", [&good[..], &good[..]].concat()),
        ("oversized", oversized),
        ("without a frame", text(&approved).into_bytes()),
        ("noise", vec![0xff; 4096]),
        ("a line that does not end", vec![b'a'; 1 << 20]),
    ];
    for (what, bytes) in inputs {
        let WardenAnswer::Refused { code, message } = house.send(&bytes) else { panic!("{what}") };
        eprintln!("{what}: {code}: {message}");
        assert_eq!(code, "request", "{what}");
    }
    before.assert_same(&house.state(), "input that is none");

    // Once, and never again: not after the runner drifted back, not with the old token, not an older proposal.
    let bundle = house.permitted(&sealed, &[&people.mira]);
    waits(&house.apply(&bundle).unwrap());
    assert_eq!(house.stage(&approved).unwrap_err().0, "spent");
    assert_eq!(house.confirm(sealed.id(), true).unwrap().stage, Stage::Confirmed);
    house.plant_llvm();
    refused(&house, "again, after the runner drifted back", "spent", &sealed);
    let before = house.state();
    assert_eq!(house.apply(&bundle).unwrap_err().0, "spent");
    before.assert_same(&house.state(), "the old token");
    refused(&house, "superseded", "superseded", &old);
    assert_eq!(house.confirm(&"0".repeat(64), true).unwrap_err().0, "never-started");
    assert_eq!(house.started().len(), 1);
    // The lease and the token of one runner are of no use on another.
    let theirs = other.propose(other.llvm_back());
    let nonce = other.stage(&people.approve(&theirs, &[&people.mira])).unwrap();
    let stolen =
        Bundle { lease: bundle.lease.clone(), token: bundle.token.clone(), ..people.approve(&theirs, &[&people.mira]) };
    let before = other.state();
    assert!(matches!(other.apply(&stolen).unwrap_err().0.as_str(), "no-lease" | "no-token"));
    before.assert_same(&other.state(), "a stolen token");
    let lease: &SignedText = bundle.lease.as_ref().unwrap();
    let drawn = people.token(theirs.id(), "other", &nonce, lease);
    let stretched =
        Bundle { lease: Some(lease.clone()), token: Some(drawn), ..people.approve(&theirs, &[&people.mira]) };
    assert_eq!(other.apply(&stretched).unwrap_err().0, "no-lease");
    before.assert_same(&other.state(), "a lease for other proposals");
    assert_eq!(other.started(), []);
}
