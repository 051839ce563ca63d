//! README.md, held to the kernel: its transcripts are run, its figures measured, and both compared with what it says.
//!
//! Everything is made anew in each case. `cargo test --test readme` compares (`readme/compare.rs` has the rule); with
//! `HOLDOUT_README=write`, which is how `scripts/readme` starts it, what is made anew is put into README.md.

#[path = "readme/align.rs"]
mod align;
#[path = "readme/compare.rs"]
mod compare;
#[path = "readme/figures.rs"]
mod figures;
#[path = "readme/rules.rs"]
mod rules;
#[path = "readme/run.rs"]
mod run;
#[path = "readme/transcripts.rs"]
mod transcripts;

use figures::Figure;
use libtest_mimic::{Arguments, Failed, Trial};
use transcripts::Transcript;

/// A part of README.md that is made anew.
enum Part {
    Transcript(Transcript),
    Figure(Figure),
}

impl Part {
    /// All parts. Commands are many and end in seconds; the first figure measures for all of them.
    fn all(readme: &str) -> Vec<Self> {
        let transcripts = transcripts::of(readme).into_iter().map(Self::Transcript);
        transcripts.chain(figures::all().into_iter().map(Self::Figure)).collect()
    }

    fn name(&self) -> String {
        match self {
            Self::Transcript(transcript) => transcript.name(),
            Self::Figure(figure) => figure.name(),
        }
    }

    /// What README.md says, and what it should say.
    fn anew(&self, readme: &str) -> Result<(String, String), String> {
        match self {
            Self::Transcript(transcript) => Ok((transcript.text(), transcript.anew()?)),
            Self::Figure(figure) => figure.anew(readme),
        }
    }

    /// Where that differs by more than the rule allows.
    fn difference(&self, said: &str, anew: &str) -> Option<String> {
        match self {
            Self::Transcript(_) => compare::difference(said, anew),
            Self::Figure(_) if figures::is_near(said, anew) => None,
            Self::Figure(_) => Some(compare::both(said.trim(), anew.trim())),
        }
    }

    fn check(&self, readme: &str) -> Result<(), Failed> {
        let found = self.anew(readme).and_then(|(said, anew)| match self.difference(&said, &anew) {
            Some(difference) => Err(difference),
            None => Ok(()),
        });
        let name = self.name();
        found.map_err(|why| format!("README.md is out of date at {name}:\n{why}\nscripts/readme makes it anew.").into())
    }
}

/// Puts what is made anew into `readme`, and says where that changes what README.md tells.
fn write(readme: &mut String) -> Result<(), String> {
    for part in Part::all(readme) {
        let (said, anew) = part.anew(readme).map_err(|why| format!("at {}:\n{why}", part.name()))?;
        assert_eq!(readme.matches(&said).count(), 1, "README.md shows this once:\n{said}");
        let sign = if part.difference(&said, &anew).is_some() { "changed" } else { "as it was" };
        println!("{sign:9}  {}", part.name());
        *readme = readme.replacen(&said, &anew, 1);
    }
    Ok(())
}

fn main() {
    let file = run::root().join("README.md");
    let mut readme = std::fs::read_to_string(&file).expect("README.md");
    if std::env::var_os("HOLDOUT_README").is_some_and(|how| how == "write") {
        if let Err(why) = write(&mut readme) {
            eprintln!("README.md stays as it is: it cannot be made anew {why}");
            std::process::exit(1);
        }
        std::fs::write(&file, readme).expect("README.md can be written");
        return;
    }
    let parts = Part::all(&readme).into_iter().map(|part| {
        let readme = readme.clone();
        Trial::test(format!("readme: {}", part.name()), move || part.check(&readme))
    });
    let rules = rules::ALL.iter().map(|&(name, rule)| {
        Trial::test(name, move || {
            rule();
            Ok(())
        })
    });
    libtest_mimic::run(&Arguments::from_args(), rules.chain(parts).collect()).exit();
}
