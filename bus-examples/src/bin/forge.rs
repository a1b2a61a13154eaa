//! The binary of the forge: see [`bus_examples::cli`].

fn main() -> std::process::ExitCode {
    bus_examples::cli::main()
}
