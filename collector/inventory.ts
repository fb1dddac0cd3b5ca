import { existsSync } from 'node:fs';
import { loadSystemInformation } from './systeminformation.ts';

/** What a host is, for the birth message and `doctor`; undefined where it can't be found out. */
export interface Inventory {
  readonly hostname: string | undefined;
  readonly platform: string;
  readonly arch: string;
  /** "Debian GNU/Linux 12" */
  readonly os: string | undefined;
  readonly kernel: string | undefined;
  readonly cpu: string | undefined;
  /** Logical. */
  readonly cores: number | undefined;
  readonly memoryBytes: number | undefined;
  /** Names only: addresses are nobody's business here. */
  readonly interfaces: readonly string[];
  /** "kvm", "VMware", …; null on bare metal. */
  readonly virtualisation: string | null | undefined;
  /** "docker", "podman", "kubernetes" or "container"; null on a host. */
  readonly container: string | null;
}

/** Which container engine this process runs under, by the marks they leave. */
export function detectContainer(
  environment: Readonly<Record<string, string | undefined>> = process.env,
  exists: (path: string) => boolean = existsSync,
): string | null {
  if (environment.KUBERNETES_SERVICE_HOST) return 'kubernetes';
  if (exists('/run/.containerenv')) return 'podman';
  if (exists('/.dockerenv')) return 'docker';
  // systemd's convention (systemd.io/CONTAINER_INTERFACE); the value is anybody's.
  return environment.container ? 'container' : null;
}

/** Starts child processes and takes up to a second: once at the start, or never. Rejects never. */
export async function inventory(load = loadSystemInformation): Promise<Inventory> {
  const empty = { platform: process.platform, arch: process.arch, container: detectContainer() };
  const api = await load().catch(() => undefined);
  const ask = async <T>(question: (() => Promise<T>) | undefined): Promise<T | undefined> => {
    try {
      return await question?.();
    } catch {
      return undefined;
    }
  };
  const [os, cpu, memory, interfaces, system] = await Promise.all([
    ask(api && (() => api.osInfo())),
    ask(api && (() => api.cpu())),
    ask(api && (() => api.mem())),
    ask(api && (() => api.networkInterfaces())),
    ask(api && (() => api.system())),
  ]);
  const list = Array.isArray(interfaces) ? interfaces : interfaces ? [interfaces] : [];
  return {
    ...empty,
    hostname: os?.hostname || undefined,
    os: os ? `${os.distro} ${os.release}`.trim() || undefined : undefined,
    kernel: os?.kernel || undefined,
    cpu: cpu ? `${cpu.manufacturer} ${cpu.brand}`.trim() || undefined : undefined,
    cores: cpu?.cores || undefined,
    memoryBytes: memory?.total || undefined,
    interfaces: list.map((one) => one.iface),
    virtualisation: system ? (system.virtual ? system.virtualHost || 'virtual' : null) : undefined,
  };
}
