//! The kernel is the same to the byte wherever it is built, and says from which commit.

#[path = "reproducible/tree.rs"]
mod tree;
#[path = "reproducible/version.rs"]
mod version;

use object::{Object, ObjectSection};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tree::{ROOT, Tree, kernel, uncommitted};

/// Names of the sections in which two ELF files differ; where they differ elsewhere only, that is said.
fn differences(one: &[u8], other: &[u8]) -> Vec<String> {
    let sections = |bytes| -> BTreeMap<String, Vec<u8>> {
        let file = object::File::parse(bytes).expect("the image is an ELF file");
        let content = |section: object::Section| Some((section.name().ok()?.to_owned(), section.data().ok()?.to_vec()));
        file.sections().filter_map(content).collect()
    };
    let (here, there) = (sections(one), sections(other));
    let names = here.keys().chain(there.keys().filter(|name| !here.contains_key(*name)));
    let found: Vec<String> = names.filter(|name| here.get(*name) != there.get(*name)).cloned().collect();
    if found.is_empty() && one != other { vec!["what is outside of all sections".into()] } else { found }
}

/// A `CARGO_HOME` with another path, and in it what the builder's own has: nothing is downloaded again.
fn another_cargo_home(folder: &Path) -> PathBuf {
    let own = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let own = own.unwrap_or_else(|| std::env::home_dir().expect("cargo has a home").join(".cargo"));
    let other = folder.join("a home of cargo's");
    std::fs::create_dir_all(&other).expect("a folder of ours");
    for entry in std::fs::read_dir(own).expect("cargo has built here").flatten() {
        std::os::unix::fs::symlink(entry.path(), other.join(entry.file_name())).expect("a folder of ours");
    }
    other
}

/// This tree has its image already, or makes it: one more build is what this test costs. The other tree has a path of
/// another length, with spaces, and so have the dependencies. What is not committed here is in the other tree too, so
/// that the sources are compared that somebody works on.
#[test]
fn a_clone_in_another_folder_gives_the_same_bytes_and_compiles_them_once() {
    let clone = Tree::new("another folder, and deeper/holdout");
    clone.apply(&uncommitted());
    let home = another_cargo_home(&clone.parent());
    let environment = [("CARGO_HOME", home.as_os_str())];
    let (here, _) = kernel(Path::new(ROOT), &[]);
    let (there, told) = kernel(&clone.folder, &environment);
    assert!(told.contains("Compiling holdout"), "that clone is not fresh: {told}");
    let [one, other] = [&here, &there].map(|image| std::fs::read(image).expect("an image was made"));
    assert_eq!(differences(&one, &other), [""; 0], "{} and {} differ there", here.display(), there.display());

    clone.git(&["status"]);
    let (_, told) = kernel(&clone.folder, &environment);
    assert!(!told.contains("Compiling"), "nothing has changed, but cargo compiles: {told}");
}

#[test]
fn a_byte_that_differs_is_found_in_its_section() {
    let (image, _) = kernel(Path::new(ROOT), &[]);
    let image = std::fs::read(image).expect("an image was made");
    let flipped = |at: usize| {
        let mut bytes = image.clone();
        bytes[at] ^= 1;
        differences(&image, &bytes)
    };
    let file = object::File::parse(&*image).expect("the image is an ELF file");
    let at = |name| file.section_by_name(name).and_then(|it| it.file_range()).expect("it is in the file").0 as usize;
    assert_eq!(differences(&image, &image), [""; 0]);
    for name in [".text", ".rodata", ".symbols", ".debug_line", ".strtab"] {
        assert_eq!(flipped(at(name) + 100), [name]);
    }
    // The last byte of the header's padding.
    assert_eq!(flipped(15), ["what is outside of all sections"]);
}
