//! A test that is a method.

struct Wiki;

impl Wiki {
    #[bus_runtime::test]
    async fn it_is_called(&self) {}
}

fn main() {}
