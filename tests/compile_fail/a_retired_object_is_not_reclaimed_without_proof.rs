//! refused: E0061: this method takes 1 argument but 0 arguments were supplied

use holdout::rcu::Retired;

pub fn free(retired: Retired<u64>) {
    let _ = retired.reclaim();
}
