//! Answers, good and bad.

use super::*;

const OFFERS: &str = "\
section base
 8923c8021ade5311782e6ca02d40a662c95bd3411e8e43e97aacc8082c6e2fe9
close 0
section generation
 5
close 0
section repos
 extra\tno\t-
 fedora\tyes\t1795170832
close 0 2
section offers
 llvm-0:19.1.0-1.fc41.noarch\tfedora
close 0 1
section installed
 llvm-0:20.1.0-1.fc41.noarch\tWeak Dependency\tfedora
close 0 1
section digests
 llvm-0:19.1.0-1.fc41.noarch\tfedora\t5b40ce2aeded4d3d3ea56a54070650291ffaae2227285057af4b22cc41b0b72a
close 0 1
section keeps
 snapper\tyes
 local\tllvm-20.1.0-1.fc41.noarch
close 0
section stable
 yes
close 0
end 8
";

#[test]
fn offers_are_read() {
    let answer = PlanAnswer::parse(OFFERS).unwrap();
    assert_eq!(answer.repos[0], Repo { id: "extra", gpgcheck: false, cached_at: None });
    assert_eq!(answer.repos[1], Repo { id: "fedora", gpgcheck: true, cached_at: Some(1_795_170_832) });
    let offers = answer.offers.unwrap();
    assert_eq!(offers.offers[0].nevra, "llvm-19.1.0-1.fc41.noarch");
    assert!(offers.offers[0].sha256.unwrap().starts_with("5b40"));
    assert_eq!(offers.installed, [("llvm-20.1.0-1.fc41.noarch".to_owned(), super::super::Reason::WeakDependency)]);
    assert!(offers.keeps.snapper && offers.keeps.local == ["llvm-20.1.0-1.fc41.noarch"]);
}

#[test]
fn a_section_that_failed_fails_the_answer() {
    let busy = OFFERS.replace(" llvm-0:19.1.0-1.fc41.noarch\tfedora\nclose 0 1", " it waits\nclose 124 dnf-busy");
    assert_eq!(PlanAnswer::parse(&busy), Err(Failure::new("dnf-busy", "it waits")));
}

#[test]
fn what_is_not_understood_is_no_answer() {
    for (from, to) in [
        (" snapper\tyes", " snapper\tmaybe"),
        (" local\tllvm", " elsewhere\tllvm"),
        ("Weak Dependency", "Whim"),
        ("\tyes\t1795170832", "\tperhaps\t1795170832"),
        ("\tyes\t1795170832", "\tyes\tnow"),
        ("fedora\t5b40", "other\t5b40"),
        ("fedora\t5b40", "fedora\tZZ40"),
        ("section keeps", "section kept"),
        (" llvm-0:19.1.0-1.fc41.noarch\tfedora\nclose", " llvm\tfedora\nclose"),
        (" 5\n", " 6\n"),
    ] {
        assert!(OFFERS.contains(from), "{from}");
        assert!(PlanAnswer::parse(&OFFERS.replacen(from, to, 1)).is_err(), "{to}");
    }
}

#[test]
fn attempts_are_kept_apart() {
    let head = &OFFERS[..OFFERS.find("section offers").unwrap()];
    let text = format!(
        "{head}section attempts\n x\t1\n o\tPackage\n e\tfailed\n x\t0\n e\t\nclose 0\nsection stable\n yes\nclose 0\nend 5\n"
    );
    let attempts = PlanAnswer::parse(&text).unwrap().attempts;
    assert_eq!(attempts.len(), 2);
    assert_eq!((attempts[0].status, &attempts[0].stdout, &attempts[0].stderr), (1, &vec!["Package"], &vec!["failed"]));
    assert_eq!((attempts[1].status, attempts[1].stderr.len()), (0, 1));
    assert!(PlanAnswer::parse(&text.replacen(" x\t1\n", "", 1)).is_err(), "words without a status");
    assert!(PlanAnswer::parse(&text.replacen(" x\t1\n", " x\tone\n", 1)).is_err());
}
