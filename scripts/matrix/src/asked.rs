//! What a script asks before it boots guests. Pure.

use holdout::platform::bootargs::{self, Name, PreemptModel, SchemeName};

/// The answer to `names KEY`: the values that the kernel has for it; and to `line CPUS TEXT`: nothing, or why the kernel would
/// refuse these boot arguments on a machine with so many CPUs. Nothing where neither is asked.
pub(crate) fn answer(question: &[&str]) -> Option<Result<String, String>> {
    match *question {
        ["names", "tasks_rcu"] => Some(Ok(list::<SchemeName>())),
        ["names", "preempt"] => Some(Ok(list::<PreemptModel>())),
        ["line", cpus, line] => {
            let cpus = cpus.parse().map_err(|_| format!("'{cpus}' is no number of CPUs"));
            let read = |cpus| bootargs::parse(line, cpus).map(|_| String::new()).map_err(|error| error.to_string());
            Some(cpus.and_then(read))
        }
        _ => None,
    }
}

fn list<N: Name>() -> String {
    N::ALL.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::{MODELS, SCHEMES};

    #[test]
    fn the_names_are_those_that_are_judged() {
        for (key, known) in [("tasks_rcu", &SCHEMES[..]), ("preempt", &MODELS)] {
            let mut names: Vec<String> =
                answer(&["names", key]).expect("asked").expect("named").split(',').map(String::from).collect();
            let mut known = known.to_vec();
            names.sort();
            known.sort();
            assert_eq!(names, known, "of {key}");
        }
    }

    #[test]
    fn a_line_is_refused_in_the_words_of_the_kernel() {
        assert_eq!(answer(&["line", "2", "windows only=plain,running,12+17r cpus=2"]), Some(Ok(String::new())));
        let why = answer(&["line", "2", "windows only=bogus"]).expect("asked").expect_err("refused");
        assert!(why.starts_with("`bogus` is not a value of only; allowed: "), "{why}");
        assert_eq!(answer(&["--logs=a", "--html=b"]), None);
    }
}
