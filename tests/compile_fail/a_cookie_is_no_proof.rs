//! refused: E0308: mismatched types

use holdout::rcu::{Cookie, Retired};

pub fn free(retired: Retired<u64>) {
    let cookie: Cookie = retired.cookie();
    let _ = retired.reclaim(cookie);
}
