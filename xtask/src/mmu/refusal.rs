//! Why an emulator does not run with the plugin.

/// How the plugin's own messages begin.
const OURS: &str = "umbra-mmu: ";
/// What a QEMU that was built without plugins says of one.
const WITHOUT: [&str; 2] =
    ["plugin interface not enabled in this build", "-plugin: invalid option"];
/// What any other QEMU says of one that it does not take.
const NOT_LOADED: &str = "Could not load plugin ";
/// What comes of it.
const WAY_OUT: &str = "without --mmu-model the guest runs";

/// The reason among an emulator's messages, in a line that says what to do; none if it is none of the plugin's.
pub(crate) fn refusal(messages: &str) -> Option<String> {
    if let Some(reason) = messages.lines().find_map(|line| line.strip_prefix(OURS)) {
        return Some(format!("the model cannot work here: {reason}; {WAY_OUT}"));
    }
    if WITHOUT.iter().any(|known| messages.contains(known)) {
        return Some(format!(
            "this QEMU was built without plugins, so there is no model; {WAY_OUT}"
        ));
    }
    let (_, rest) = messages.lines().find_map(|line| line.split_once(NOT_LOADED))?;
    let reason = rest.split_once(": ").map_or(rest, |(_, reason)| reason);
    Some(format!("QEMU does not take the model's plugin: {reason}; {WAY_OUT}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_is_told_with_the_way_out() {
        let version = "qemu-system-aarch64: Could not load plugin /a/b.so: plugin requires API version 4, but this \
                       QEMU supports only up to version 3\n";
        for (messages, says) in [
            (
                "qemu: warning: a\numbra-mmu: 2 vCPUs\nqemu: Could not load plugin x: y\n",
                "2 vCPUs; w",
            ),
            (
                "qemu-system-aarch64: plugin interface not enabled in this build\n",
                "without plugins",
            ),
            ("qemu-system-aarch64: -plugin: invalid option\n", "without plugins"),
            (
                version,
                ": plugin requires API version 4, but this QEMU supports only up to version 3; ",
            ),
        ] {
            let refusal = refusal(messages).unwrap();
            assert!(refusal.contains(says) && refusal.ends_with(WAY_OUT), "{refusal}");
        }
        assert_eq!(refusal("qemu-system-aarch64: no such machine\n"), None);
    }
}
