//! A device tree that can be changed: read from a blob or put together, and written as a blob.
//!
//! Nothing keeps it from being wrong: names may repeat, values may have any length.

use dtoolkit::fdt::{Fdt, FdtNode};
use dtoolkit::{Node as _, Property as _};

/// Tokens of the structure block, and what the header begins with. Source: Devicetree Specification 0.4, 5.
const BEGIN_NODE: u32 = 1;
const END_NODE: u32 = 2;
const PROPERTY: u32 = 3;
const END: u32 = 9;
const MAGIC: u32 = 0xd00d_feed;
const VERSIONS: [u32; 2] = [17, 16];
const HEADER_BYTES: u32 = 40;

/// A node, with all that is below.
#[derive(Clone, Debug, Default)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) properties: Vec<(String, Vec<u8>)>,
    pub(crate) children: Vec<Node>,
}

impl Node {
    pub(crate) fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// The root of a well-formed blob.
    pub(crate) fn read(blob: &[u8]) -> Self {
        Self::copy(Fdt::new(blob).expect("a good blob").root())
    }

    fn copy(node: FdtNode<'_>) -> Self {
        let properties = node.properties().map(|property| (property.name().to_owned(), property.value().to_vec()));
        let (name, properties) = (node.name().to_owned(), properties.collect());
        Self { name, properties, children: node.children().map(Self::copy).collect() }
    }

    /// With this value in the place of an older one.
    pub(crate) fn bytes(mut self, name: &str, value: Vec<u8>) -> Self {
        self.set(name, value);
        self
    }

    pub(crate) fn cells(self, name: &str, cells: &[u32]) -> Self {
        self.bytes(name, to_bytes(cells))
    }

    pub(crate) fn text(self, name: &str, text: &str) -> Self {
        self.bytes(name, [text.as_bytes(), &[0]].concat())
    }

    pub(crate) fn texts(self, name: &str, texts: &[&str]) -> Self {
        self.bytes(name, texts.iter().flat_map(|text| text.bytes().chain([0])).collect())
    }

    pub(crate) fn child(mut self, child: Self) -> Self {
        self.children.push(child);
        self
    }

    pub(crate) fn set(&mut self, name: &str, value: Vec<u8>) {
        self.properties.retain(|(old, _)| old != name);
        self.properties.push((name.to_owned(), value));
    }

    /// The first child whose name begins so.
    #[track_caller]
    pub(crate) fn at(&mut self, start: &str) -> &mut Self {
        let child = self.children.iter_mut().find(|child| child.name.starts_with(start));
        child.unwrap_or_else(|| panic!("no child of `{}` is {start}", self.name))
    }

    /// Changes this node.
    pub(crate) fn edit(&mut self, edit: impl FnOnce(Self) -> Self) {
        *self = edit(std::mem::take(self));
    }

    /// The blob, with these memory reservations: base and size.
    pub(crate) fn blob(&self, reservations: &[(u64, u64)]) -> Vec<u8> {
        let (mut structure, mut names) = (Vec::new(), Vec::new());
        self.write(&mut structure, &mut names);
        let strings: Vec<u8> = names.iter().flat_map(|name| name.bytes().chain([0])).collect();
        structure.extend(END.to_be_bytes());
        let reservations = reservations.iter().chain([&(0, 0)]).flat_map(|&(base, size)| [base, size]);
        let reservations: Vec<u8> = reservations.flat_map(u64::to_be_bytes).collect();
        let bytes_of = |part: &[u8]| part.len() as u32;
        let structure_at = HEADER_BYTES + bytes_of(&reservations);
        let strings_at = structure_at + bytes_of(&structure);
        let total = strings_at + bytes_of(&strings);
        let [version, compatible_with] = VERSIONS;
        let header = [MAGIC, total, structure_at, strings_at, HEADER_BYTES, version, compatible_with, 0];
        let lengths = [bytes_of(&strings), bytes_of(&structure)];
        [to_bytes(&header), to_bytes(&lengths), reservations, structure, strings].concat()
    }

    /// Writes the structure, and gathers the names of properties: each once.
    fn write<'a>(&'a self, structure: &mut Vec<u8>, names: &mut Vec<&'a str>) {
        structure.extend(BEGIN_NODE.to_be_bytes());
        structure.extend(self.name.bytes().chain([0]));
        pad(structure);
        for (name, value) in &self.properties {
            let place = names.iter().position(|known| known == name).unwrap_or(names.len());
            let offset: usize = names[..place].iter().map(|name| name.len() + 1).sum();
            if place == names.len() {
                names.push(name);
            }
            structure.extend(to_bytes(&[PROPERTY, value.len() as u32, offset as u32]));
            structure.extend(value);
            pad(structure);
        }
        for child in &self.children {
            child.write(structure, names);
        }
        structure.extend(END_NODE.to_be_bytes());
    }
}

pub(crate) fn to_bytes(cells: &[u32]) -> Vec<u8> {
    cells.iter().copied().flat_map(u32::to_be_bytes).collect()
}

fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}
