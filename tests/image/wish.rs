//! The way out of the trampolines that count: somebody who wants to hear of the lower count asks for that in the word
//! behind it, maybe in an interrupt between any two instructions.

use crate::load::{Function, Image};

const BLR_X12: u32 = 0xd63f_0180;
const RET_X9: u32 = 0xd65f_0120;

/// What an instruction does to the word at this offset from the task in x10.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    Load(u32),
    Store(u32),
}

fn access(word: u32) -> Option<Access> {
    const TASK: u32 = 10;
    let offset = (word >> 10 & 0xfff) * 4;
    match word & !31 {
        _ if word >> 5 & 31 != TASK => None,
        stlr if stlr == 0x889f_fc00 | TASK << 5 => Some(Access::Store(0)),
        other if other >> 22 == 0xb900_0000 >> 22 => Some(Access::Store(offset)),
        other if other >> 22 == 0xb940_0000 >> 22 => Some(Access::Load(offset)),
        other if other >> 22 == 0xf940_0000 >> 22 => Some(Access::Load(offset * 2)),
        _ => None,
    }
}

/// Behind func each of them stores its count first, and then loads the word behind it, and nothing else of the task.
pub(crate) fn is_looked_for_late(image: &Image) -> Vec<String> {
    ["trampoline_depth_t0", "trampoline_nopreempt_t0"].into_iter().filter_map(|name| complain(image, name)).collect()
}

fn complain(image: &Image, name: &str) -> Option<String> {
    let Some(function) = image.functions.iter().find(|function| function.name == name) else {
        return Some(format!("there is no {name}"));
    };
    let way_out = way_out(function);
    match way_out[..] {
        [Access::Store(count), Access::Load(wish)] if wish == count + 4 => None,
        _ => Some(format!("{name}: not the count's store and then the load of the word behind it, but {way_out:?}")),
    }
}

fn way_out(function: &Function) -> Vec<Access> {
    let behind_func = function.code.iter().skip_while(|&&word| word != BLR_X12);
    behind_func.take_while(|&&word| word != RET_X9).filter_map(|&word| access(word)).collect()
}
