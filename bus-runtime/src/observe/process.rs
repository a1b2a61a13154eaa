//! The process itself, by the names that every client library of Prometheus gives it. From `/proc`, so on Linux alone.

use std::fs;

use super::series::{Family, Kind};

/// Ticks of the kernel in a second, as it tells times to programs: always so on Linux.
const TICKS: f64 = 100.0;
/// What `/proc/self/status` calls a kB.
const KIB: f64 = 1024.0;

/// What is known of the process; nothing where there is no `/proc`.
pub(super) fn families() -> Vec<Family> {
    let (Ok(stat), Ok(status)) =
        (fs::read_to_string("/proc/self/stat"), fs::read_to_string("/proc/self/status"))
    else {
        return Vec::new();
    };
    let mut families = Vec::new();
    let mut add = |name, kind, help, value: Option<f64>| {
        families.extend(value.map(|value| Family::new(name, kind, help).with([], value)));
    };
    let (counter, gauge) = (Kind::Counter, Kind::Gauge);
    let cpu = cpu_of(&stat);
    add("process_cpu_seconds_total", counter, "Time of the processors that the process has used.", cpu);
    let (resident, virtual_size) = (kilobytes(&status, "VmRSS:"), kilobytes(&status, "VmSize:"));
    add("process_resident_memory_bytes", gauge, "Memory of the process that is in RAM.", resident);
    add("process_virtual_memory_bytes", gauge, "Address space of the process.", virtual_size);
    let open = fs::read_dir("/proc/self/fd").ok().map(|all| all.count().saturating_sub(1) as f64);
    add("process_open_fds", gauge, "File descriptors that are open.", open);
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    add("process_max_fds", gauge, "File descriptors that may be open.", max_fds(&limits));
    let booted = fs::read_to_string("/proc/stat").ok().and_then(|text| word_after(&text, "btime"));
    let started = booted.zip(field(&stat, 22)).map(|(booted, ticks)| booted + ticks / TICKS);
    add("process_start_time_seconds", gauge, "When the process started, in seconds since 1970.", started);
    add("process_threads", gauge, "Threads of the process.", field(&stat, 20));
    families
}

/// Time of the processors that the process has used, in seconds.
#[cfg(feature = "cli")]
pub(crate) fn cpu_seconds() -> Option<f64> {
    cpu_of(&fs::read_to_string("/proc/self/stat").ok()?)
}

fn cpu_of(stat: &str) -> Option<f64> {
    field(stat, 14).zip(field(stat, 15)).map(|(user, system)| (user + system) / TICKS)
}

/// A field of `/proc/self/stat` by its number in proc(5). The name of the program, in parentheses, may hold spaces.
fn field(stat: &str, number: usize) -> Option<f64> {
    let after_name = stat.rsplit_once(')')?.1;
    after_name.split_whitespace().nth(number.checked_sub(3)?)?.parse().ok()
}

fn kilobytes(status: &str, name: &str) -> Option<f64> {
    word_after(status, name).map(|kilobytes| kilobytes * KIB)
}

/// The number behind the first word of a line.
fn word_after(text: &str, name: &str) -> Option<f64> {
    let line = text.lines().find(|line| line.split_whitespace().next() == Some(name))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

fn max_fds(limits: &str) -> Option<f64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_says_is_read() {
        let stat = "42 (a (b) c) S 1 42 42 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 9 0 1000 5000 60";
        assert_eq!(field(stat, 14), Some(250.0));
        assert_eq!(field(stat, 20), Some(9.0));
        assert_eq!(field(stat, 22), Some(1000.0));
        assert_eq!(kilobytes("Name:\tx\nVmRSS:\t  12 kB\n", "VmRSS:"), Some(12.0 * 1024.0));
        let limits = "Limit Soft Hard Units\nMax open files            1024   4096  files\n";
        assert_eq!(max_fds(limits), Some(1024.0));
        assert_eq!(max_fds("Max open files unlimited unlimited files"), None);
    }
}
