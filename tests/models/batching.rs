//! todo
use crate::verdict::Model;
pub const MODELS: [Model; 0] = [];
