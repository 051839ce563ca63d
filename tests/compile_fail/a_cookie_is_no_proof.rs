//! refused: E0308: mismatched types

use holdout::rcu::cookie::Cookie;
use holdout::rcu::{Reclaim, Retired};

pub fn free<T: Reclaim>(retired: Retired<T>, cookie: Cookie) {
    let _ = retired.reclaim(cookie);
}
