//! The nine runners of the incident: what the real parser reads from them and the real drift says of them is what was
//! planted. No connection in between.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use countersign_integration::embedded::catalog::{FULL_SIZE, catalog};
use countersign_integration::embedded::incident::{Planted, chapters};
use countersign_integration::embedded::server::{Served, key_of};
use countersign_integration::embedded::site::canonical_files;
use countersign_shared::drift::{Compiled, drift};
use countersign_shared::manifest::canonical::Canonical;
use countersign_shared::observation::{Nonce, Observation, Request, Tokens, is_warm, merge, open, tokens};
use std::net::Ipv4Addr;

const NOW: i64 = 1_795_163_400;

fn canonical() -> Canonical {
    let host_key = key_of("any").public_key().clone();
    let served = Served { name: "runner-01".to_owned(), address: (Ipv4Addr::LOCALHOST, 22).into(), host_key };
    let files = canonical_files(&[served], &catalog(FULL_SIZE)).unwrap();
    Canonical::load(&files.into_iter().map(|(path, text)| (path.to_owned(), text.into_bytes())).collect()).unwrap()
}

#[test]
fn the_drift_of_each_runner_is_what_was_planted_there() {
    let canonical = canonical();
    let compiled = Compiled::new(canonical.effective(canonical.fleet.runner("runner-01").unwrap())).unwrap();
    for chapter in chapters(NOW) {
        if chapter.failure.is_some() {
            continue;
        }
        let request = Request::new(Nonce::new([7; 16]), compiled.listed(), &Tokens::default()).unwrap();
        let reply = chapter.runner().answers.reply(request.as_bytes(), None);
        let record = open(reply.parts.concat(), request.nonce()).unwrap();
        let observation = Observation::parse(&record, NOW).unwrap();
        let packages = observation.packages.seen().unwrap();
        assert!((FULL_SIZE - 3..=FULL_SIZE + 4).contains(&packages.list.len()), "{}", packages.list.len());
        assert_eq!(packages.rpmdb_digest, chapter.machine().rpmdb_digest(), "{}", chapter.runner);

        let found = drift(&compiled, &observation).unwrap();
        let found: Vec<Planted> = found
            .items
            .iter()
            .map(|item| Planted {
                runner: chapter.runner,
                package: item.package.clone().unwrap_or_default(),
                code: item.code.as_str(),
                by: item.by.as_ref().and_then(|by| by.user.clone()),
            })
            .collect();
        assert_eq!(found, chapter.found, "{}: {}", chapter.runner, chapter.happened);

        // Asked again with the tokens of this answer, it leaves the lists out, and they can be put back.
        let again = Request::new(Nonce::new([8; 16]), compiled.listed(), &tokens(&record)).unwrap();
        let reply = chapter.runner().answers.reply(again.as_bytes(), None);
        assert!(reply.parts.iter().map(|part| part.len()).sum::<usize>() < 2000, "the lists came again");
        let warm = open(reply.parts.concat(), again.nonce()).unwrap();
        assert!(is_warm(&warm));
        assert_eq!(merge(&record, &warm).unwrap(), record);
    }
}
