//! x
pub(crate) fn run(_: &crate::cli::Test) -> anyhow::Result<u8> {
    Ok(1)
}
