//! refused: E0616: field `object` of struct `Retired` is private

use holdout::rcu::Retired;

pub fn free(retired: Retired<u64>) {
    drop(retired.object);
}
