//! A plugin of QEMU's that feeds the MMU model with the accesses of a run.
//!
//! It is thin: the model is the library `mmu-model`, and what is here turns QEMU's calls into that library's.
//! `run` has the flow; `target` says what an instruction set has to answer, `aarch64` and `x86_64` answer it;
//! `qemu` declares the interface. What cannot be modelled right is refused, with the reason.

mod aarch64;
mod qemu;
mod ram;
mod registers;
mod run;
mod target;
mod x86_64;

use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::fs;
use std::sync::OnceLock;

use mmu_model::config::Config;
use mmu_model::counts::Output;
use mmu_model::session::Session;

use crate::aarch64::Aarch64;
use crate::qemu::{Block, Info, Plugin};
use crate::run::Run;
use crate::target::Target;
use crate::x86_64::X86;

/// What the build tool told.
static CONFIG: OnceLock<Config> = OnceLock::new();
/// Why there is no run.
static REFUSED: OnceLock<String> = OnceLock::new();
/// QEMU loads the plugin. `arguments` are `count` strings, one of which is `config=FILE`.
///
/// # Safety
///
/// As QEMU calls it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qemu_plugin_install(
    id: u64,
    info: *const Info,
    count: c_int,
    arguments: *const *const c_char,
) -> c_int {
    // SAFETY: by the caller, the information is there during this call.
    let info = unsafe { &*info };
    // SAFETY: as above, with a string in it.
    let target = unsafe { CStr::from_ptr(info.target) }.to_string_lossy();
    let arguments = (0..usize::try_from(count).unwrap_or(0)).map(|index| {
        // SAFETY: there are so many.
        let place = unsafe { arguments.add(index) };
        // SAFETY: as above.
        let argument = unsafe { *place };
        // SAFETY: each is a string.
        unsafe { CStr::from_ptr(argument) }.to_string_lossy().into_owned()
    });
    match install(Plugin(id), info, &target, arguments) {
        Ok(()) => 0,
        Err(why) => {
            eprintln!("umbra-mmu: {why}");
            1
        }
    }
}

fn install(
    plugin: Plugin,
    info: &Info,
    target: &str,
    mut arguments: impl Iterator<Item = String>,
) -> Result<(), String> {
    if !info.system {
        return Err("only whole machines are modelled".to_owned());
    }
    let vcpus = info.most_vcpus.max(info.vcpus);
    if vcpus != 1 {
        return Err(format!("one vCPU is modelled, and the machine may have {vcpus}"));
    }
    let file = arguments
        .find_map(|argument| argument.strip_prefix("config=").map(str::to_owned))
        .ok_or("the argument config=FILE is missing")?;
    let text = fs::read_to_string(&file).map_err(|why| format!("{file} cannot be read: {why}"))?;
    let config: Config =
        serde_json::from_str(&text).map_err(|why| format!("{file} is no configuration: {why}"))?;
    config.geometry.check().map_err(|why| format!("the geometry is none: {why}"))?;
    let output = &config.output;
    fs::write(output, "")
        .map_err(|why| format!("{} cannot be written: {why}", output.display()))?;
    CONFIG.set(config).map_err(|_| "the plugin is loaded twice".to_owned())?;
    match target {
        "aarch64" => hook::<Aarch64>(plugin),
        "x86_64" => hook::<X86>(plugin),
        other => return Err(format!("the instruction set {other} is not modelled")),
    }
    Ok(())
}

fn hook<T: Target>(plugin: Plugin) {
    plugin.at_start(started::<T>);
    plugin.at_translation(translated::<T>);
    plugin.at_end(ended::<T>);
}

/// The vCPU begins.
extern "C" fn started<T: Target>(_id: u64, _vcpu: c_uint) {
    let Some(config) = CONFIG.get() else { return };
    match Run::<T>::new(config) {
        Ok(run) => run::begin(run),
        Err(why) => {
            let _ = REFUSED.set(why);
        }
    }
}

/// A block is translated.
///
/// # Safety
///
/// As QEMU calls it.
unsafe extern "C" fn translated<T: Target>(_id: u64, block: *mut Block) {
    // SAFETY: by the caller.
    let Some(run) = (unsafe { run::current::<T>() }) else { return };
    // SAFETY: QEMU gives it for the time of the call.
    run.translate(unsafe { &mut *block });
}

/// The emulator ends: the vCPU does not run any more.
extern "C" fn ended<T: Target>(_id: u64, _data: *mut c_void) {
    let Some(config) = CONFIG.get() else { return };
    // SAFETY: the vCPU is stopped, or is what ends the emulator by a device, outside of any callback. (Where the
    // emulator fails beside a vCPU that runs, its status says so, and what is written is not read.)
    let output = match unsafe { run::current::<T>() } {
        Some(run) => run.output(),
        None => {
            let mut session = Session::<T::Architecture>::new(config);
            session.refuse(REFUSED.get().map_or("the machine did not start", String::as_str));
            session.output(Vec::new())
        }
    };
    if let Err(why) = write(config, &output) {
        eprintln!("umbra-mmu: {} cannot be written: {why}", config.output.display());
    }
}

fn write(config: &Config, output: &Output) -> Result<(), String> {
    let text = serde_json::to_string_pretty(output).map_err(|why| why.to_string())?;
    fs::write(&config.output, text + "\n").map_err(|why| why.to_string())
}
