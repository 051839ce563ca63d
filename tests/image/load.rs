//! The linked image as data: functions with their code, callsite records, sections, symbols.

use holdout::platform::symbols::is_traceable;
use object::{Object, ObjectSection, ObjectSegment, ObjectSymbol, SectionFlags, SegmentFlags, SymbolKind, elf};
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The kernel's target.
const TARGET: &str = "aarch64-unknown-none-softfloat";

/// A piece of code with a name: a function, or an assembly label up to the next one.
#[derive(Clone, Debug)]
pub(crate) struct Function {
    pub(crate) address: u64,
    /// Demangled, without hashes.
    pub(crate) name: String,
    /// The kernel's own answer, from the name alone, whether its callsite may be enabled.
    pub(crate) may_be_traced: bool,
    /// One word per instruction; data between instructions reads as `udf`.
    pub(crate) code: Vec<u32>,
}

impl Function {
    /// Past its last instruction.
    pub(crate) fn end(&self) -> u64 {
        self.address + self.code.len() as u64 * 4
    }

    /// The address of instruction `index`.
    pub(crate) fn pc(&self, index: usize) -> u64 {
        self.address + index as u64 * 4
    }

    /// The index of the instruction at `address`, if it is one of ours.
    pub(crate) fn index_of(&self, address: u64) -> Option<usize> {
        (self.address..self.end()).contains(&address).then(|| ((address - self.address) / 4) as usize)
    }

    /// Whether it is written in this crate. How a closure or function is called through a trait object is not: that
    /// is glue of the compiler's.
    pub(crate) fn is_ours(&self) -> bool {
        let is_glue = self.name.contains(" as core::ops::function::Fn");
        !is_glue && (self.name.starts_with("holdout::") || self.name.starts_with("<holdout::"))
    }
}

/// Bytes of the image at their address.
#[derive(Clone, Debug)]
pub(crate) struct Section {
    pub(crate) name: String,
    pub(crate) address: u64,
    pub(crate) bytes: Vec<u8>,
    pub(crate) is_code: bool,
}

/// One linked kernel.
#[derive(Clone, Debug, Default)]
pub(crate) struct Image {
    /// How it was built.
    pub(crate) profile: String,
    /// Sorted by address, without overlaps.
    pub(crate) functions: Vec<Function>,
    pub(crate) sections: Vec<Section>,
    /// Data objects that have a symbol: address and size.
    pub(crate) objects: BTreeMap<u64, u64>,
    /// Literal addresses of `.callsites`, in the order of the section.
    pub(crate) callsites: Vec<u64>,
    /// What the image's own table must hold: address and name, demangled.
    pub(crate) symbols: Vec<(u64, String)>,
    /// Code whose callsites the kernel leaves out of its table: methods cannot carry the attribute `notrace` is.
    pub(crate) notrace: Range<u64>,
    /// Bytes of the file.
    pub(crate) size: usize,
    /// Address, is writable, is executable.
    pub(crate) segments: Vec<(u64, bool, bool)>,
}

impl Image {
    /// Builds the kernel with `profile` and reads it.
    pub(crate) fn build(profile: &str) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        // Cargo gives integration tests a folder of their own inside its target folder.
        let target_dir: PathBuf = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("tmp lies in target").into();
        let status = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--package", "holdout", "--target", TARGET, "--profile", profile])
            .args(["--target-dir".as_ref(), target_dir.as_os_str()])
            .current_dir(root)
            .env_remove("RUSTFLAGS")
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            .env_remove("RUSTC_WRAPPER")
            .status()
            .expect("cargo runs");
        assert!(status.success(), "the kernel does not build with profile {profile}");
        let path = target_dir.join(TARGET).join(profile).join("holdout");
        Self::parse(profile, &std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
    }

    fn parse(profile: &str, bytes: &[u8]) -> Self {
        let file = object::File::parse(bytes).expect("the image is an ELF file");
        let sections: Vec<Section> = file.sections().filter_map(|section| loaded(&section)).collect();
        let symbols = code_symbols(&file);
        let mut image = Self {
            profile: profile.into(),
            size: bytes.len(),
            functions: functions(&file, &sections),
            ..Self::default()
        };
        image.symbols = symbols.iter().map(|symbol| (symbol.address, demangled(&symbol.mangled))).collect();
        image.objects = file
            .symbols()
            .filter(|symbol| symbol.is_definition() && symbol.kind() == SymbolKind::Data && symbol.size() > 0)
            .map(|symbol| (symbol.address(), symbol.size()))
            .collect();
        let symbol = |name: &str| symbols.iter().find(|symbol| symbol.mangled == name).map(|symbol| symbol.address);
        image.notrace = symbol("__notrace_start").unwrap_or(0)..symbol("__notrace_end").unwrap_or(0);
        image.segments = file
            .segments()
            .map(|segment| {
                let SegmentFlags::Elf { p_flags, .. } = segment.flags() else { panic!("ELF segments have ELF flags") };
                (segment.address(), p_flags.contains(elf::PF_W), p_flags.contains(elf::PF_X))
            })
            .collect();
        image.sections = sections;
        let records = image.section(".callsites").map(|section| section.bytes.clone()).unwrap_or_default();
        image.callsites = records.chunks(8).map(|record| le64(record).unwrap_or(u64::MAX)).collect();
        image
    }

    pub(crate) fn section(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|section| section.name == name)
    }

    /// The `size` bytes at `address`, if the image holds them.
    pub(crate) fn bytes(&self, address: u64, size: u64) -> Option<&[u8]> {
        self.sections.iter().find_map(|section| {
            let start = usize::try_from(address.checked_sub(section.address)?).ok()?;
            section.bytes.get(start..start + usize::try_from(size).ok()?)
        })
    }

    /// The 64-bit word at `address`.
    pub(crate) fn word(&self, address: u64) -> Option<u64> {
        le64(self.bytes(address, 8)?)
    }

    /// The index of the function whose code holds `address`.
    pub(crate) fn function_at(&self, address: u64) -> Option<usize> {
        let after = self.functions.partition_point(|function| function.address <= address);
        let index = after.checked_sub(1)?;
        (address < self.functions[index].end()).then_some(index)
    }

    /// The index of the function that begins at `address`.
    pub(crate) fn entry_at(&self, address: u64) -> Option<usize> {
        self.functions.binary_search_by_key(&address, |function| function.address).ok()
    }

    /// Whether `function` has a callsite that the kernel may enable.
    pub(crate) fn is_traceable(&self, function: &Function) -> bool {
        let has_callsite = self.callsites.binary_search(&(function.address.wrapping_sub(8))).is_ok();
        function.may_be_traced && has_callsite && !self.notrace.contains(&function.address)
    }
}

/// The name as Rust spells it, without hashes, by a demangler that is not the linker wrapper's.
fn demangled(mangled: &str) -> String {
    format!("{:#}", rustc_demangle::demangle(mangled))
}

fn le64(bytes: &[u8]) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.try_into().ok()?))
}

fn has_flag<'data>(section: &impl ObjectSection<'data>, flag: elf::SectionFlags) -> bool {
    matches!(section.flags(), SectionFlags::Elf { sh_flags, .. } if sh_flags.contains(flag))
}

fn is_code<'data>(section: &impl ObjectSection<'data>) -> bool {
    has_flag(section, elf::SHF_EXECINSTR)
}

fn loaded<'data>(section: &impl ObjectSection<'data>) -> Option<Section> {
    has_flag(section, elf::SHF_ALLOC).then(|| Section {
        name: section.name().expect("section names are text").into(),
        address: section.address(),
        bytes: section.data().expect("the section lies in the file").to_vec(),
        is_code: is_code(section),
    })
}

struct CodeSymbol {
    address: u64,
    size: u64,
    is_function: bool,
    mangled: String,
}

/// Symbols of executable sections, without the assembler's local names and mapping marks, sorted by address.
fn code_symbols(file: &object::File) -> Vec<CodeSymbol> {
    let code: Vec<_> = file.sections().filter(is_code).map(|section| section.index()).collect();
    let mut symbols: Vec<CodeSymbol> = file
        .symbols()
        .filter(|symbol| !matches!(symbol.kind(), SymbolKind::Section | SymbolKind::File | SymbolKind::Data))
        .filter(|symbol| symbol.section_index().is_some_and(|index| code.contains(&index)))
        .map(|symbol| CodeSymbol {
            address: symbol.address(),
            size: symbol.size(),
            is_function: symbol.kind() == SymbolKind::Text,
            mangled: symbol.name().expect("symbol names are text").into(),
        })
        .filter(|symbol| !symbol.mangled.is_empty() && !symbol.mangled.starts_with('$'))
        .filter(|symbol| !symbol.mangled.starts_with(".L"))
        .collect();
    symbols.sort_by(|a, b| (a.address, &a.mangled).cmp(&(b.address, &b.mangled)));
    symbols
}

/// Cuts executable sections into functions at their symbols. A label inside a function that has a size is
/// part of it; any other label goes on to the next symbol. Names at one address are one function.
fn functions(file: &object::File, sections: &[Section]) -> Vec<Function> {
    let mut starts: BTreeMap<u64, CodeSymbol> = BTreeMap::new();
    let mut sized_end = 0;
    // The linker script's names are places, not functions.
    let is_place = |symbol: &CodeSymbol| !symbol.is_function && symbol.mangled.starts_with("__");
    for symbol in code_symbols(file).into_iter().filter(|symbol| !is_place(symbol)) {
        if symbol.address < sized_end && !(symbol.is_function && symbol.size > 0) {
            continue;
        }
        sized_end = sized_end.max(if symbol.is_function { symbol.address + symbol.size } else { 0 });
        let better = starts.get(&symbol.address).is_none_or(|other| symbol.is_function && !other.is_function);
        if better {
            starts.insert(symbol.address, symbol);
        }
    }
    let marks: BTreeMap<u64, bool> = file
        .symbols()
        .filter_map(|symbol| {
            let name = symbol.name().ok()?;
            let is_data = name == "$d" || name.starts_with("$d.");
            (is_data || name == "$x" || name.starts_with("$x.")).then_some((symbol.address(), is_data))
        })
        .collect();
    let mut functions = Vec::new();
    for section in sections.iter().filter(|section| section.is_code) {
        let section_end = section.address + section.bytes.len() as u64;
        for (&address, symbol) in starts.range(section.address..section_end) {
            let next = starts.range(address + 1..).next().map_or(section_end, |(&next, _)| next.min(section_end));
            let end = if symbol.size > 0 { (address + symbol.size).min(next) } else { next };
            let start = (address - section.address) as usize;
            let words = section.bytes[start..(end - section.address) as usize].chunks_exact(4).zip(0_u64..);
            let code: Vec<u32> = words
                .map(|(word, index)| {
                    let mark = marks.range(..=address + index * 4).next_back();
                    let is_data = mark.is_some_and(|(&at, &is_data)| is_data && at >= section.address);
                    if is_data { 0 } else { u32::from_le_bytes([word[0], word[1], word[2], word[3]]) }
                })
                .collect();
            let name = demangled(&symbol.mangled);
            if !code.is_empty() {
                let may_be_traced = is_traceable(&name);
                functions.push(Function { address, name, may_be_traced, code });
            }
        }
    }
    functions.sort_by_key(|function| function.address);
    functions
}
