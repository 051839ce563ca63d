//! refused: E0061: this method takes 1 argument but 0 arguments were supplied

use holdout::rcu::{Reclaim, Retired};

pub fn free<T: Reclaim>(retired: Retired<T>) {
    let _ = retired.reclaim();
}
