//! refused: E0133: call to unsafe function

use holdout::rcu::{Cookie, Retired};
use std::ptr::NonNull;

pub fn retire(object: &mut u64, cookie: Cookie) -> Retired<u64> {
    Retired::new(NonNull::from(object), cookie)
}
