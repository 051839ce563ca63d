//! refused: E0616: field `object` of struct `Retired` is private

use holdout::rcu::{Reclaim, Retired};

pub fn free<T: Reclaim>(retired: Retired<T>) {
    drop(retired.object);
}
