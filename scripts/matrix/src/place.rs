//! Names of places, as guests print them: `path::function+0x8`.

/// The function that a place is in; the trampolines are one.
pub fn function(place: &str) -> &str {
    let name = place.rsplit_once('+').map_or(place, |(name, _)| name);
    let is_trampoline =
        name.starts_with("trampoline") && name.rsplit_once("_t").is_some_and(|(_, step)| step.len() == 1);
    if is_trampoline || name == "trampoline" { "trampoline" } else { name }
}

/// Where the last `::` outside of `<..>` stands.
fn last_separator(name: &str) -> Option<usize> {
    let bytes = name.as_bytes();
    let mut depth = 0_usize;
    for index in (1..bytes.len()).rev() {
        match bytes[index] {
            b'>' => depth += 1,
            b'<' => depth = depth.saturating_sub(1),
            b':' if depth == 0 && bytes[index - 1] == b':' => return Some(index - 1),
            _ => {}
        }
    }
    None
}

/// A place without the path of its function: `drop_in_place::<holdout::sync::Disabled>` is `drop_in_place::<Disabled>`.
pub fn short(place: &str) -> String {
    let Some(at) = last_separator(place) else { return place.to_owned() };
    let last = &place[at + 2..];
    match last.strip_prefix('<').and_then(|rest| rest.split_once('>')) {
        Some((inner, rest)) => {
            let outer = &place[..at];
            let outer = last_separator(outer).map_or(outer, |at| &outer[at + 2..]);
            format!("{outer}::<{}>{rest}", short(inner))
        }
        None => last.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trampolines_are_one_function() {
        for place in ["trampoline+0x4", "trampoline_t2", "trampoline_depth_t7+0x8"] {
            assert_eq!(function(place), "trampoline");
        }
        assert_eq!(function("a::trampoline_to+0x8"), "a::trampoline_to");
    }

    #[test]
    fn a_short_place_is_the_last_part_of_its_path_and_keeps_what_it_is_generic_over() {
        assert_eq!(short("holdout::lab::alpha+0x8"), "alpha+0x8");
        assert_eq!(short("trampoline+0x0"), "trampoline+0x0");
        assert_eq!(short("core::ptr::drop_in_place::<a::Disabled>+0x4"), "drop_in_place::<Disabled>+0x4");
        assert_eq!(short("<a::B_as_c::D>::drop"), "drop");
    }
}
