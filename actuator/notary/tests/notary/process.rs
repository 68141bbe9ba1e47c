//! Processes: the program, the same with a clock and a moment to die that a test gives, and clients of other accounts.
//!
//! The second and third kind are this test binary, started again for one of the two tests at the end of this file.

use countersign_manifests_schema::notary::{NotaryAnswer, NotaryRequest};
use countersign_notary::cli::run_daemon;
use countersign_notary::clock::TimeSource;
use countersign_notary::config::Config;
use countersign_notary::desk::{Point, Surroundings, Watcher};
use countersign_shared::journal::Step;
use rustix::process::{Pid, Signal, getpid, kill_process};
use std::fs::{self, Permissions};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

const CONFIG: &str = "NOTARY_TEST_CONFIG";
const CLOCK: &str = "NOTARY_TEST_CLOCK";
const DEATH: &str = "NOTARY_TEST_DEATH";
const CLIENT: &str = "NOTARY_TEST_CLIENT";
const REQUEST: &str = "NOTARY_TEST_REQUEST";
const HELD: &str = "NOTARY_TEST_HELD";

/// A notary that is listening, or has ended before it did.
pub(crate) struct Notary {
    child: Child,
    /// What it said before it listened.
    pub(crate) said: String,
}

/// What a test gives to the library.
#[derive(Clone)]
pub(crate) struct Given {
    /// A file with Unix seconds, seconds since the boot, and the boot's name.
    pub(crate) clock: PathBuf,
    /// The process dies at this point as soon as `armed` is there.
    pub(crate) death: Option<(usize, Torn)>,
    /// See above.
    pub(crate) armed: PathBuf,
}

/// How much of a line is written when the process dies before it would be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Torn {
    Nothing,
    OneByte,
    Half,
    AllButNewline,
}

impl Torn {
    pub(crate) const ALL: [Torn; 4] = [Torn::Nothing, Torn::OneByte, Torn::Half, Torn::AllButNewline];

    fn bytes(self, line: &[u8]) -> &[u8] {
        match self {
            Torn::Nothing => &[],
            Torn::OneByte => &line[..1],
            Torn::Half => &line[..line.len() / 2],
            Torn::AllButNewline => &line[..line.len() - 1],
        }
    }
}

impl Given {
    pub(crate) fn new(dir: &Path) -> Self {
        let given = Self { clock: dir.join("test-clock"), death: None, armed: dir.join("armed") };
        given.set(1_800_000_000, 1_000, "boot-a");
        given
    }

    pub(crate) fn set(&self, wall: i64, since_boot: i64, boot: &str) {
        let beside = self.clock.with_extension("new");
        fs::write(&beside, format!("{wall} {since_boot} {boot}")).unwrap();
        fs::rename(&beside, &self.clock).unwrap();
    }
}

impl Notary {
    pub(crate) fn program(config: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign-notary"));
        command.arg("--config").arg(config).arg("serve").env_remove("RUST_LOG");
        Self::listening(command)
    }

    pub(crate) fn given(config: &Path, given: &Given) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "process::serves_when_started_for_it", "--nocapture"]);
        command.env(CONFIG, config).env(CLOCK, &given.clock).env("RUST_LOG", "info");
        if let Some((point, torn)) = given.death {
            let torn = Torn::ALL.iter().position(|t| *t == torn).unwrap();
            command.env(DEATH, format!("{point} {torn} {}", given.armed.display()));
        }
        Self::listening(command)
    }

    fn listening(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut reader = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        while reader.read_line(&mut said).unwrap() > 0 && !said.ends_with("\n") {}
        while !said.contains("listening") && reader.read_line(&mut said).unwrap() > 0 {}
        // Read on, so that a full pipe never stops it.
        std::thread::spawn(move || std::io::copy(&mut reader, &mut std::io::sink()));
        Self { child, said }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for its own end.
    pub(crate) fn ended(mut self) -> std::process::ExitStatus {
        self.child.wait().unwrap()
    }
}

impl Drop for Notary {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A client that asks one thing, as another account if `uid` is given (which needs root).
pub(crate) fn client(dir: &Path, uid: Option<(u32, &[u32])>, socket: &Path, request: &NotaryRequest) -> Child {
    let text = serde_json::to_string(request).unwrap();
    let mut command = as_account(dir, uid);
    command.args(["--exact", "process::asks_when_started_for_it", "--nocapture"]);
    command.env(CLIENT, socket).env(REQUEST, text).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
}

/// A client that opens so many connections, says nothing, and holds them until its stdin ends. It has them all when this
/// returns.
pub(crate) fn hold(dir: &Path, uid: Option<(u32, &[u32])>, socket: &Path, connections: usize) -> Child {
    let mut command = as_account(dir, uid);
    command.args(["--exact", "process::asks_when_started_for_it", "--nocapture"]);
    command.env(CLIENT, socket).env(HELD, connections.to_string());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    assert_eq!(line_after(&mut child, "held: "), connections.to_string());
    child
}

/// What a client was answered.
pub(crate) fn answered(mut child: Child) -> Result<NotaryAnswer, String> {
    let line = line_after(&mut child, "answer: ");
    child.wait().unwrap();
    serde_json::from_str(&line).map_err(|_| line)
}

fn line_after(child: &mut Child, start: &str) -> String {
    let reader = BufReader::new(child.stdout.as_mut().unwrap());
    let line = reader.lines().map(Result::unwrap).find_map(|line| Some(line.split_once(start)?.1.to_owned()));
    line.unwrap_or_else(|| "the client said nothing".to_owned())
}

/// This binary, where any account can read it.
fn as_account(dir: &Path, account: Option<(u32, &[u32])>) -> Command {
    let Some((uid, groups)) = account else {
        return Command::new(std::env::current_exe().unwrap());
    };
    let copy = dir.join("client");
    if !copy.exists() {
        fs::copy(std::env::current_exe().unwrap(), &copy).unwrap();
        fs::set_permissions(&copy, Permissions::from_mode(0o755)).unwrap();
    }
    let groups: Vec<String> = groups.iter().map(ToString::to_string).collect();
    let mut command = Command::new("setpriv");
    command.arg(format!("--reuid={uid}")).arg(format!("--regid={uid}")).current_dir("/");
    match groups.is_empty() {
        true => command.arg("--clear-groups"),
        false => command.arg(format!("--groups={}", groups.join(","))),
    };
    command.arg(copy);
    command
}

struct FileClock(PathBuf);

impl FileClock {
    fn read(&self) -> (i64, i64, String) {
        let text = fs::read_to_string(&self.0).unwrap();
        let mut words = text.split(' ');
        let mut next = || words.next().unwrap().to_owned();
        (next().parse().unwrap(), next().parse().unwrap(), next())
    }
}

impl TimeSource for FileClock {
    fn wall(&self) -> i64 {
        self.read().0
    }

    fn since_boot(&self) -> i64 {
        self.read().1
    }

    fn boot(&self) -> String {
        self.read().2
    }
}

fn death(text: &str) -> Arc<Watcher> {
    let mut words = text.splitn(3, ' ');
    let mut next = || words.next().unwrap().to_owned();
    let point = Point::ALL[next().parse::<usize>().unwrap()];
    let torn = Torn::ALL[next().parse::<usize>().unwrap()];
    let armed = PathBuf::from(next());
    Arc::new(move |at, write| {
        if at != point || !armed.exists() {
            return;
        }
        if let (Point::Memory(Step::Begun), Some((mut file, line))) = (at, write) {
            file.write_all(torn.bytes(line)).unwrap();
        }
        kill_process(getpid(), Signal::KILL).unwrap();
    })
}

/// Not a test by itself: a notary of [`Notary::given`].
#[test]
fn serves_when_started_for_it() {
    let Some(config) = std::env::var_os(CONFIG) else { return };
    let time = Box::new(FileClock(std::env::var_os(CLOCK).unwrap().into()));
    let watch = std::env::var(DEATH).ok().map(|text| death(&text));
    let _ = tracing_subscriber::fmt().with_writer(std::io::stderr).try_init();
    let config = Config::load(Path::new(&config)).unwrap();
    let (_, failure) = run_daemon(config, Surroundings { time, watch });
    eprintln!("{failure:?}");
}

/// Not a test by itself: a client of [`client`] and [`hold`].
#[test]
#[expect(clippy::print_stdout, reason = "it talks to the test that started it")]
fn asks_when_started_for_it() {
    let Some(socket) = std::env::var_os(CLIENT) else { return };
    let socket = Path::new(&socket);
    if let Ok(count) = std::env::var(HELD) {
        let wanted = 0..count.parse::<usize>().unwrap();
        let held: Vec<UnixStream> = wanted.map(|_| UnixStream::connect(socket).unwrap()).collect();
        println!("held: {}", held.len());
        let _ = std::io::stdin().read(&mut [0]);
        return;
    }
    let request: NotaryRequest = serde_json::from_str(&std::env::var(REQUEST).unwrap()).unwrap();
    match countersign_shared::notary::ask(socket, &request, crate::stage::TIMEOUT) {
        Ok(answer) => println!("answer: {}", serde_json::to_string(&answer).unwrap()),
        Err(error) => println!("answer: {error:?}"),
    }
}

/// Whether a process is there.
pub(crate) fn lives(pid: u32) -> bool {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::test_kill_process(pid).is_ok()
}
