//! Rules on what the image tells of the machine that built it: nothing.

use crate::load::{Image, Section};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folders below which whoever builds here has the sources, the dependencies and the toolchain.
pub(crate) fn of_the_builder() -> Vec<PathBuf> {
    let named = ["HOME", "CARGO_HOME", "RUSTUP_HOME", "CARGO_TARGET_DIR"].into_iter().filter_map(std::env::var_os);
    let known = [env!("CARGO_MANIFEST_DIR").into(), env!("CARGO_TARGET_TMPDIR").into(), rustc_sysroot()];
    let folders: Vec<PathBuf> = named.map(PathBuf::from).chain(known).collect();
    let as_the_system_has_them = folders.iter().filter_map(|folder| folder.canonicalize().ok());
    // The root is above everything.
    as_the_system_has_them.chain(folders.clone()).filter(|folder| folder.parent().is_some()).collect()
}

fn rustc_sysroot() -> PathBuf {
    let output = Command::new("rustc").args(["--print", "sysroot"]).output().expect("rustc runs");
    String::from_utf8(output.stdout).expect("rustc speaks UTF-8").trim().into()
}

/// No loaded section holds the path of one of `folders`, or a path into it.
pub(crate) fn of_folders(image: &Image, folders: &[PathBuf]) -> Vec<String> {
    let in_section = |section: &Section| {
        let found = folders.iter().filter_map(|folder| first_path(&section.bytes, folder));
        found.map(|path| format!("{} names {path}", section.name)).collect::<Vec<String>>()
    };
    let mut found: Vec<String> = image.sections.iter().flat_map(in_section).collect();
    found.sort();
    found.dedup();
    found
}

/// The first path in `bytes` that is `folder` or leads into it, as far as it can be read.
fn first_path(bytes: &[u8], folder: &Path) -> Option<String> {
    let name = folder.as_os_str().as_encoded_bytes();
    let goes_on = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    let is_there = |at: usize| bytes[at..].starts_with(name) && !bytes.get(at + name.len()).is_some_and(goes_on);
    let at = (0..bytes.len()).find(|&at| is_there(at))?;
    let path = bytes[at..].iter().take_while(|byte| byte.is_ascii_graphic());
    Some(path.map(|&byte| char::from(byte)).collect())
}

#[cfg(test)]
mod tests {
    use super::{of_folders, of_the_builder, rustc_sysroot};
    use crate::load::{Image, Section};
    use std::path::{Path, PathBuf};

    fn found(bytes: &[u8], folders: &[PathBuf]) -> Vec<String> {
        let section = Section { name: ".rodata".into(), address: 0x1000, bytes: bytes.to_vec(), is_code: false };
        of_folders(&Image { sections: vec![section], ..Image::default() }, folders)
    }

    #[test]
    fn a_path_is_found_wherever_it_stands() {
        let folders = ["/build/tree", "/home/somebody/.cargo"].map(PathBuf::from);
        assert_eq!(found(b"src/lib.rs\0/rustc/59807616/library/core/src/str/mod.rs\0", &folders).len(), 0);
        assert_eq!(found(b"/build/trees/of/others", &folders).len(), 0);
        assert_eq!(found(b"src/a.rs/build/tree/src/b.rs\0x", &folders), [".rodata names /build/tree/src/b.rs"]);
        assert_eq!(found(b"built in /build/tree (today)", &folders), [".rodata names /build/tree"]);
        assert_eq!(found(b"/build/tree", &folders).len(), 1, "and nothing behind it");
        let two = b"/home/somebody/.cargo/a/lib.rs\0/build/tree/b.rs";
        assert_eq!(found(two, &folders).len(), 2, "one for each folder");
    }

    #[test]
    fn the_tree_the_dependencies_and_the_toolchain_are_places_of_the_builder() {
        let folders = of_the_builder();
        let home = std::env::home_dir().expect("somebody builds").join(".cargo");
        let dependencies = std::env::var_os("CARGO_HOME").map_or(home, PathBuf::from).join("registry/src");
        let toolchain = rustc_sysroot().join("lib/rustlib/src/rust");
        for place in [Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), dependencies, toolchain] {
            let planted = format!("x{}/lib.rs\0", place.display());
            assert!(!found(planted.as_bytes(), &folders).is_empty(), "{planted}");
        }
    }
}
