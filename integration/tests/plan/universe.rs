//! Small random worlds of packages, each with names of its own, the same for the same seed.

use std::path::Path;

use countersign_shared::evr::Evr;
use countersign_shared::observation::Verb;
use rpm::Dependency;

/// splitmix64: a seed in, the same numbers out, on every machine.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// 0 to `below` - 1.
    pub(crate) fn roll(&mut self, below: usize) -> usize {
        (self.next() % below as u64) as usize
    }

    /// Once in `of` times.
    pub(crate) fn once_in(&mut self, of: usize) -> bool {
        self.roll(of) == 0
    }
}

/// One build of a package.
#[derive(Debug, Clone)]
pub(crate) struct Build {
    pub(crate) name: String,
    epoch: u32,
    version: String,
    release: &'static str,
    requires: Vec<(String, Option<String>)>,
    recommends: Vec<String>,
    conflicts: Vec<String>,
    obsoletes: Vec<String>,
    install_only: bool,
}

impl Build {
    pub(crate) fn nevra(&self) -> String {
        let epoch = if self.epoch == 0 { String::new() } else { format!("{}:", self.epoch) };
        format!("{}-{epoch}{}-{}.noarch", self.name, self.version, self.release)
    }

    fn evr(&self) -> Evr<'_> {
        Evr::new(self.epoch, &self.version, self.release).unwrap()
    }

    pub(crate) fn needs_nothing(&self) -> bool {
        self.requires.is_empty() && self.conflicts.is_empty() && self.obsoletes.is_empty()
    }

    fn write(&self, directory: &Path) {
        let config = rpm::BuildConfig::v4().compression(rpm::CompressionType::None);
        let mut builder = rpm::PackageBuilder::new(&self.name, &self.version, "MIT", "noarch", "of a random world");
        builder.using_config(config).release(self.release).epoch(self.epoch);
        for (name, version) in &self.requires {
            builder.requires(match version {
                Some(version) => Dependency::eq(name, version),
                None => Dependency::any(name),
            });
        }
        for name in &self.recommends {
            builder.recommends(Dependency::any(name));
        }
        for name in &self.conflicts {
            builder.conflicts(Dependency::any(name));
        }
        for name in &self.obsoletes {
            builder.obsoletes(Dependency::any(name));
        }
        if self.install_only {
            builder.provides(Dependency::any("installonlypkg(kernel)"));
        }
        let file = directory.join(format!("{}-{}-{}-{}.rpm", self.name, self.epoch, self.version, self.release));
        builder.build().unwrap().write_file(file).unwrap();
    }
}

/// One world.
#[derive(Debug)]
pub(crate) struct Universe {
    pub(crate) builds: Vec<Build>,
}

impl Universe {
    /// Four to nine names, each with one to three builds that need, recommend, fight or replace one another.
    pub(crate) fn new(number: usize, dice: &mut Dice) -> Self {
        let names: Vec<String> = (0..4 + dice.roll(6)).map(|index| format!("u{number}-{}", word(index))).collect();
        let mut builds = Vec::new();
        for (index, name) in names.iter().enumerate() {
            let epoch = if dice.once_in(4) { 1 + dice.roll(3) as u32 } else { 0 };
            let install_only = dice.once_in(10);
            for step in 0..1 + dice.roll(3) {
                let version = format!("{}.{}", 1 + step, dice.roll(3));
                let other = |dice: &mut Dice| names[dice.roll(names.len())].clone();
                let mut build = Build {
                    name: name.clone(),
                    epoch,
                    version,
                    release: if dice.once_in(2) { "1.fc41" } else { "2~rc1.fc41" },
                    requires: Vec::new(),
                    recommends: Vec::new(),
                    conflicts: Vec::new(),
                    obsoletes: Vec::new(),
                    install_only,
                };
                // Mostly towards later names, so that most worlds can be installed.
                for later in names.iter().skip(index + 1) {
                    if dice.once_in(4) {
                        build.requires.push((later.clone(), None));
                    }
                }
                if dice.once_in(6) {
                    build.recommends.push(other(dice));
                }
                if dice.once_in(12) {
                    build.conflicts.push(other(dice));
                }
                if dice.once_in(16) {
                    build.obsoletes.push(other(dice));
                }
                for list in [&mut build.recommends, &mut build.conflicts, &mut build.obsoletes] {
                    list.retain(|other| other != name);
                }
                builds.push(build);
            }
        }
        // Some need exactly one build, as llvm and its libraries do.
        let all = builds.clone();
        for build in &mut builds {
            for (name, version) in &mut build.requires {
                if dice.once_in(3) {
                    let choices: Vec<&Build> = all.iter().filter(|other| other.name == *name).collect();
                    let chosen = choices[dice.roll(choices.len())];
                    let epoch = if chosen.epoch == 0 { String::new() } else { format!("{}:", chosen.epoch) };
                    *version = Some(format!("{epoch}{}-{}", chosen.version, chosen.release));
                }
            }
        }
        Self { builds }
    }

    pub(crate) fn write(&self, one: &Path, other: &Path, dice: &mut Dice) {
        for build in &self.builds {
            build.write(if dice.once_in(3) { other } else { one });
        }
    }

    /// A build of it.
    pub(crate) fn any(&self, dice: &mut Dice) -> &Build {
        &self.builds[dice.roll(self.builds.len())]
    }

    /// One to four changes that somebody might want of the packages that are installed.
    pub(crate) fn wants(&self, installed: &dyn Fn(&str) -> bool, dice: &mut Dice) -> Vec<(Verb, String)> {
        let mut wants: Vec<(Verb, String)> = Vec::new();
        for _ in 0..1 + dice.roll(4) {
            let build = self.any(dice);
            if wants.iter().any(|(_, nevra)| nevra.starts_with(&format!("{}-", build.name))) {
                continue;
            }
            let here: Vec<&Build> =
                self.builds.iter().filter(|other| other.name == build.name && installed(&other.nevra())).collect();
            let want = match here.first() {
                _ if dice.once_in(25) => (Verb::Install, format!("{}-99-1.noarch", build.name)),
                Some(one) if dice.once_in(3) || one.nevra() == build.nevra() => (Verb::Remove, one.nevra()),
                Some(_) if build.install_only => (Verb::Install, build.nevra()),
                Some(one) if one.evr() < build.evr() => (Verb::Upgrade, build.nevra()),
                Some(_) => (Verb::Downgrade, build.nevra()),
                None => (Verb::Install, build.nevra()),
            };
            wants.push(want);
        }
        wants
    }
}

/// Names that try the columns of a table.
fn word(index: usize) -> String {
    let words = [
        "alpha",
        "b",
        "gcc-c++",
        "delta.d",
        "lib_e",
        "a-very-long-name-that-is-longer-than-any-column-of-a-terminal",
        "g7",
        "H",
        "iota-devel",
    ];
    words[index % words.len()].to_owned()
}
