//! The device tree of the virtual machine.
//!
//! It has the shape of the tree that QEMU makes for `virt`, because kernels know that one: the same
//! node names, the same compatible strings, the same private interrupts of the timer. One node is
//! ours: `/hypervisor`, by which a guest can tell that it is one.

use std::ops::Range;

use anyhow::{Result, anyhow};
use dtoolkit::model::{DeviceTree, DeviceTreeNode, DeviceTreeProperty};

use crate::manifest::{Device, Kind, Machine};

/// The handle of the interrupt controller.
const INTERRUPT_CONTROLLER: u32 = 1;
/// The handle of the console's clock.
const CLOCK: u32 = 2;
/// That clock's frequency, as on `virt`; nothing here has a baud rate.
const CLOCK_HZ: u32 = 24_000_000;

/// First cell of a GICv3 interrupt: shared (SPI), or private (PPI).
const SHARED: u32 = 0;
/// A private interrupt.
const PRIVATE: u32 = 1;
/// Third cell: level-triggered, active high.
const LEVEL_HIGH: u32 = 4;
/// The number of the first shared interrupt among all.
const FIRST_SHARED: u32 = 32;
/// The timers' private interrupts: secure physical, physical, virtual, EL2 physical.
const TIMERS: [u32; 4] = [13, 14, 11, 10];

/// The compatible string of the node that tells a guest what it runs on.
const HYPERVISOR: &str = "umbra,umbra";

struct Node(DeviceTreeNode);

impl Node {
    fn new(name: &str) -> Result<Self> {
        DeviceTreeNode::new(name).map(Self).map_err(|error| anyhow!("device tree: {error:?}"))
    }

    fn with(mut self, property: DeviceTreeProperty) -> Self {
        self.0.add_property(property);
        self
    }

    fn flag(self, name: &str) -> Self {
        self.with(DeviceTreeProperty::new_unchecked(name, [0_u8; 0]))
    }

    fn text(self, name: &str, value: &str) -> Self {
        self.with(DeviceTreeProperty::new_unchecked(name, value))
    }

    fn texts(self, name: &str, values: &[&str]) -> Self {
        self.with(DeviceTreeProperty::new_unchecked(name, values))
    }

    fn cell(self, name: &str, value: u32) -> Self {
        self.with(DeviceTreeProperty::new_unchecked(name, value))
    }

    fn cells(self, name: &str, values: &[u32]) -> Self {
        self.with(DeviceTreeProperty::new_unchecked(name, values))
    }

    /// `reg` of two cells for an address and two for a size.
    fn reg(self, devices: &[&Device]) -> Self {
        let cells: Vec<_> = devices
            .iter()
            .flat_map(|device| [pair(device.base), pair(device.size)])
            .flatten()
            .collect();
        self.cells("reg", &cells)
    }

    fn child(mut self, node: Self) -> Self {
        self.0.add_child(node.0);
        self
    }
}

/// A 64-bit number in two cells.
const fn pair(value: u64) -> [u32; 2] {
    [(value >> 32) as u32, value as u32]
}

/// Makes the flattened device tree of `machine`, with `initrd` in its memory if there is one.
pub(crate) fn make(machine: &Machine, initrd: Option<&Range<u64>>) -> Result<Vec<u8>> {
    let mut root = Node::new("")?
        .texts("compatible", &["linux,dummy-virt"])
        .text("model", &machine.name)
        .cell("#address-cells", 2)
        .cell("#size-cells", 2);
    let controller = machine.device(Kind::Distributor).zip(machine.device(Kind::Redistributor));
    if let Some((distributor, redistributor)) = controller {
        root = root
            .cell("interrupt-parent", INTERRUPT_CONTROLLER)
            .child(interrupt_controller(distributor, redistributor)?)
            .child(timer()?);
    }
    root =
        root.child(chosen(machine, initrd)?).child(memory(machine)?).child(cpus()?).child(psci()?);
    if let Some(uart) = machine.device(Kind::Pl011) {
        root = root.child(clock()?).child(console(uart)?);
    }
    let hypervisor = Node::new("hypervisor")?.text("compatible", HYPERVISOR);
    let mut tree = DeviceTree::new();
    tree.root = root.child(hypervisor).0;
    Ok(tree.to_dtb())
}

fn chosen(machine: &Machine, initrd: Option<&Range<u64>>) -> Result<Node> {
    let mut node = Node::new("chosen")?.text("bootargs", &machine.arguments);
    if let Some(uart) = machine.device(Kind::Pl011) {
        node = node.text("stdout-path", &format!("/{}", console_name(uart)));
    }
    if let Some(initrd) = initrd {
        node = node
            .cells("linux,initrd-start", &pair(initrd.start))
            .cells("linux,initrd-end", &pair(initrd.end));
    }
    Ok(node)
}

fn memory(machine: &Machine) -> Result<Node> {
    let cells: Vec<u32> = pair(machine.base()).into_iter().chain(pair(machine.memory)).collect();
    Ok(Node::new(&format!("memory@{:x}", machine.base()))?
        .text("device_type", "memory")
        .cells("reg", &cells))
}

fn cpus() -> Result<Node> {
    let cpu = Node::new("cpu@0")?
        .text("device_type", "cpu")
        .text("compatible", "arm,armv8")
        .text("enable-method", "psci")
        .cell("reg", 0);
    Ok(Node::new("cpus")?.cell("#address-cells", 1).cell("#size-cells", 0).child(cpu))
}

fn psci() -> Result<Node> {
    Ok(Node::new("psci")?
        .texts("compatible", &["arm,psci-1.0", "arm,psci-0.2", "arm,psci"])
        .text("method", "hvc"))
}

fn timer() -> Result<Node> {
    let interrupts: Vec<_> =
        TIMERS.into_iter().flat_map(|number| [PRIVATE, number, LEVEL_HIGH]).collect();
    Ok(Node::new("timer")?
        .texts("compatible", &["arm,armv8-timer", "arm,armv7-timer"])
        .flag("always-on")
        .cells("interrupts", &interrupts))
}

fn interrupt_controller(distributor: &Device, redistributor: &Device) -> Result<Node> {
    Ok(Node::new(&format!("intc@{:x}", distributor.base))?
        .text("compatible", "arm,gic-v3")
        .cell("#interrupt-cells", 3)
        .cell("#address-cells", 2)
        .cell("#size-cells", 2)
        .flag("ranges")
        .flag("interrupt-controller")
        .cell("#redistributor-regions", 1)
        .reg(&[distributor, redistributor])
        .cell("phandle", INTERRUPT_CONTROLLER))
}

fn clock() -> Result<Node> {
    Ok(Node::new("apb-pclk")?
        .text("compatible", "fixed-clock")
        .cell("#clock-cells", 0)
        .cell("clock-frequency", CLOCK_HZ)
        .text("clock-output-names", "clk24mhz")
        .cell("phandle", CLOCK))
}

fn console_name(uart: &Device) -> String {
    format!("pl011@{:x}", uart.base)
}

fn console(uart: &Device) -> Result<Node> {
    let mut node = Node::new(&console_name(uart))?
        .texts("compatible", &["arm,pl011", "arm,primecell"])
        .reg(&[uart])
        .texts("clock-names", &["uartclk", "apb_pclk"])
        .cells("clocks", &[CLOCK, CLOCK]);
    if let Some(number) = uart.interrupt.checked_sub(FIRST_SHARED) {
        node = node.cells("interrupts", &[SHARED, number, LEVEL_HIGH]);
    }
    Ok(node)
}

#[cfg(test)]
mod tests {
    use dtoolkit::Node as _;
    use dtoolkit::fdt::Fdt;

    use super::*;
    use crate::arch::Arch;
    use crate::paths;

    #[test]
    fn the_tree_can_be_read_back() {
        let mut machine =
            Machine::read(&paths::guests().join("machine.toml"), Arch::Aarch64).unwrap();
        machine.arguments = "rounds=3".to_owned();
        let blob = make(&machine, Some(&(0x4800_0000..0x4810_0000))).unwrap();
        let tree = Fdt::new(&blob).unwrap();
        let text = format!("{tree}");
        for part in [
            "umbra,umbra",
            "rounds=3",
            "/pl011@9000000",
            "memory@40000000",
            "linux,initrd-start",
            "interrupt-controller",
        ] {
            assert!(text.contains(part), "no {part} in\n{text}");
        }
        assert!(tree.root().child("psci").is_some());
    }
}
