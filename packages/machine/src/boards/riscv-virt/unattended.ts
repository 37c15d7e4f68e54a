import type { CharBackend, MachineConfig } from '../../config.ts';

/**
 * The configuration for deterministic mode: consoles take all that the guest writes, however slow the host's end is,
 * and pass nothing on to the guest. Else how fast a terminal is would decide when the guest may write.
 */
export function unattended(config: MachineConfig): MachineConfig {
  return {
    ...config,
    serial: outputOnly(config.serial),
    consolePorts: config.consolePorts.map((port) => ({ ...port, backend: outputOnly(port.backend) })),
  };
}

function outputOnly(backend: CharBackend): CharBackend {
  return {
    write: (bytes) => backend.write(bytes),
    onInput() {},
    resume() {},
    close: () => backend.close(),
  };
}
