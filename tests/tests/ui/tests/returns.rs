//! What a test cannot return.

use bus_runtime::testing::TestOutput;

fn returned<T: TestOutput>(_: T) {}

fn main() {
    returned(7);
}
