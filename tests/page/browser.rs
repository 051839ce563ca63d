//! A headless Chromium with one page, spoken to over a pair of pipes in its debugging protocol.
//!
//! What a person does is done by its input events: a click goes to what lies on top at that place, a key to what has the
//! focus. No library: messages end in a NUL, and what comes back is asked for in a form that needs no parser.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// A browser that shows one page.
pub(crate) struct Browser {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    session: String,
    last: u32,
    profile: std::path::PathBuf,
}

/// Chromium reads the protocol from descriptor 3 and answers on 4; here those are the pipes of its input and output.
const START: &str = "exec 3<&0 4>&1 </dev/null >/dev/null 2>&1
    exec timeout --kill-after=5 120 chromium --headless --no-sandbox --disable-gpu --disable-dev-shm-usage \
    --no-first-run --hide-scrollbars --remote-debugging-pipe --user-data-dir=\"$1\"";

/// `text` as a string of JSON and of JavaScript.
fn quoted(text: &str) -> String {
    let escaped: String = text
        .chars()
        .map(|c| match c {
            '"' => "\\\"".into(),
            '\\' => "\\\\".into(),
            c if c.is_control() => format!("\\u{:04x}", u32::from(c)),
            c => c.to_string(),
        })
        .collect();
    format!("\"{escaped}\"")
}

/// The string behind `"key":` of a message. Only for strings that hold nothing that is escaped.
fn string<'a>(message: &'a str, key: &str) -> Option<&'a str> {
    let (_, rest) = message.split_once(&format!("\"{key}\":\""))?;
    rest.split('"').next()
}

/// Undoes `encodeURIComponent`.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let mut digit = || rest.next().and_then(|byte| char::from(byte).to_digit(16)).expect("two digits");
            bytes.push((digit() * 16 + digit()) as u8);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).expect("the page is UTF-8")
}

fn from_base64(text: &str) -> Vec<u8> {
    let value = |byte| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let sextets: Vec<u8> = text.bytes().filter(|&byte| byte != b'=').map(value).collect();
    let bytes = sextets.chunks(4).flat_map(|chunk| {
        let bits = chunk.iter().fold(0_u32, |bits, &sextet| bits << 6 | u32::from(sextet)) << (6 * (4 - chunk.len()));
        bits.to_be_bytes()[1..chunk.len()].to_vec()
    });
    bytes.collect()
}

impl Browser {
    /// Opens the page of `file` in a window of this size. Panics without Chromium: `scripts/setup --tests` installs it.
    pub(crate) fn open(file: &Path, (width, height): (u32, u32)) -> Self {
        assert!(
            Command::new("chromium").arg("--version").output().is_ok(),
            "there is no chromium: run scripts/setup --tests"
        );
        static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let profile = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("browser-{}-{number}", std::process::id()));
        let mut command = Command::new("bash");
        command.arg("-c").arg(START).arg("browser").arg(&profile).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("bash");
        let to = child.stdin.take().expect("a pipe");
        let from = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut browser = Self { child, to, from, session: String::new(), last: 0, profile };
        let target = browser.send("Target.createTarget", "\"url\":\"about:blank\"");
        let target = string(&target, "targetId").expect("a page").to_owned();
        let session = browser.send("Target.attachToTarget", &format!("\"targetId\":\"{target}\",\"flatten\":true"));
        browser.session = string(&session, "sessionId").expect("a session").to_owned();
        browser.send("Page.enable", "");
        browser.size(width, height);
        let watch = quoted("window.errors = []; addEventListener('error', (event) => errors.push(event.message))");
        browser.send("Page.addScriptToEvaluateOnNewDocument", &format!("\"source\":{watch}"));
        browser.send("Page.navigate", &format!("\"url\":\"file://{}\"", file.display()));
        browser.wait_for("document.readyState === 'complete' && document.title !== ''");
        browser
    }

    /// Sends a command with these parameters, and returns its answer.
    pub(crate) fn send(&mut self, method: &str, parameters: &str) -> String {
        self.last += 1;
        let session =
            if self.session.is_empty() { String::new() } else { format!(",\"sessionId\":\"{}\"", self.session) };
        let message =
            format!("{{\"id\":{},\"method\":\"{method}\",\"params\":{{{parameters}}}{session}}}\0", self.last);
        self.to.write_all(message.as_bytes()).expect("the browser listens");
        let own = format!("{{\"id\":{},", self.last);
        loop {
            let mut message = Vec::new();
            self.from.read_until(0, &mut message).expect("the browser answers");
            assert!(!message.is_empty(), "the browser ended before it answered {method}");
            let message = String::from_utf8_lossy(&message).into_owned();
            if message.starts_with(&own) {
                assert!(!message.contains("\"error\":{"), "{method}: {message}");
                return message;
            }
        }
    }

    /// What a JavaScript expression comes to, as text.
    pub(crate) fn ask(&mut self, expression: &str) -> String {
        let asked = quoted(&format!("encodeURIComponent(String({expression}))"));
        let answer = self.send("Runtime.evaluate", &format!("\"expression\":{asked},\"returnByValue\":true"));
        assert!(!answer.contains("exceptionDetails"), "{expression}: {answer}");
        decoded(string(&answer, "value").unwrap_or_else(|| panic!("{expression}: {answer}")))
    }

    /// Whether a JavaScript condition holds.
    pub(crate) fn is(&mut self, condition: &str) -> bool {
        self.ask(&format!("Boolean({condition})")) == "true"
    }

    /// Waits some seconds for a condition.
    pub(crate) fn wait_for(&mut self, condition: &str) {
        for _ in 0..200 {
            if self.is(condition) {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        panic!("it does not come to: {condition}");
    }

    /// Clicks into the middle of what `selector` finds first, wherever that is on the page.
    pub(crate) fn click(&mut self, selector: &str) {
        let place = format!(
            "(() => {{ const it = document.querySelector({}); it.scrollIntoView({{block: 'center', behavior: 'instant'}}); \
             const box = it.getBoundingClientRect(); \
             return `\"x\":${{box.x + box.width / 2}},\"y\":${{box.y + box.height / 2}}`; }})()",
            quoted(selector)
        );
        let place = self.ask(&place);
        for kind in ["mousePressed", "mouseReleased"] {
            let button = "\"button\":\"left\",\"clickCount\":1";
            self.send("Input.dispatchMouseEvent", &format!("\"type\":\"{kind}\",{place},{button}"));
        }
    }

    /// Presses a key: `Tab`, `Enter`, `Escape`, `ArrowDown` ..
    pub(crate) fn press(&mut self, key: &str) {
        let code = match key {
            "Tab" => 9,
            "Enter" => 13,
            "Escape" => 27,
            "ArrowLeft" => 37,
            "ArrowUp" => 38,
            "ArrowRight" => 39,
            "ArrowDown" => 40,
            _ => panic!("a key that is not in the list: {key}"),
        };
        let text = if key == "Enter" { ",\"text\":\"\\r\"" } else { "" };
        let what = format!("\"key\":\"{key}\",\"code\":\"{key}\",\"windowsVirtualKeyCode\":{code}");
        self.send("Input.dispatchKeyEvent", &format!("\"type\":\"keyDown\",{what}{text}"));
        self.send("Input.dispatchKeyEvent", &format!("\"type\":\"keyUp\",{what}"));
    }

    /// Gives the window another size.
    pub(crate) fn size(&mut self, width: u32, height: u32) {
        let size = format!("\"width\":{width},\"height\":{height},\"deviceScaleFactor\":1,\"mobile\":false");
        self.send("Emulation.setDeviceMetricsOverride", &size);
    }

    /// Shows the page as `media` (screen or print) in a `light` or `dark` scheme of colours.
    pub(crate) fn media(&mut self, media: &str, scheme: &str) {
        let feature = format!("{{\"name\":\"prefers-color-scheme\",\"value\":\"{scheme}\"}}");
        self.send("Emulation.setEmulatedMedia", &format!("\"media\":\"{media}\",\"features\":[{feature}]"));
    }

    /// Takes a picture for a person to look at, beside those of the other tests: `target/tmp/page-NAME.png`.
    pub(crate) fn picture(&mut self, name: &str) {
        let answer = self.send("Page.captureScreenshot", "\"format\":\"png\"");
        let bytes = from_base64(string(&answer, "data").expect("a picture"));
        assert!(bytes.starts_with(b"\x89PNG"), "no picture");
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("page-{name}.png"));
        std::fs::write(file, bytes).expect("a place for the picture");
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let message = format!("{{\"id\":{},\"method\":\"Browser.close\"}}\0", self.last + 1);
        // One that has ended already has closed.
        let _ = self.to.write_all(message.as_bytes());
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.profile);
    }
}
