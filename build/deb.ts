/**
 * `npm run build:deb`: packs `dist/edgewood-linux-<arch>` as `dist/edgewood_<version>_<arch>.deb`. Needs dpkg-deb. The
 * same executable and commit give the same bytes.
 *
 * Options: `--arch amd64|arm64`, `--executable FILE`, `--version V`, `--out FILE`, `--fast` (light compression).
 */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  globSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import { configurationTemplate } from '../agent/config/reference.ts';
import { CREDENTIALS_DIR, SHIPPED_UNIT, sysusersFile, UNIT_NAME, unitFile } from '../cli/service/unit.ts';
import { ROOT } from './bundle.ts';
import { highestVersion, neededLibraries, neededVersions } from './elf.ts';
import { manualPage } from './manual.ts';

const TARGETS: Readonly<Record<string, string>> = { amd64: 'linux-x64', arm64: 'linux-arm64' };
const LIBRARY_PACKAGES: Readonly<Record<string, string>> = {
  'libstdc++.so.6': 'libstdc++6',
  'libgcc_s.so.1': 'libgcc-s1',
  'libatomic.so.1': 'libatomic1',
};
const HUB_UNIT = 'edgewood-hub.service';
const SCRIPTS = ['preinst', 'postinst', 'prerm', 'postrm'];
const MAINTAINER = 'edgewood maintainers <maintainers@edgewood.example>';

const { values: options } = parseArgs({
  options: {
    arch: { type: 'string', default: 'amd64' },
    executable: { type: 'string' },
    version: { type: 'string' },
    out: { type: 'string' },
    fast: { type: 'boolean', default: false },
  },
});

const { arch } = options;
const target = TARGETS[arch];
if (target === undefined) throw new Error(`--arch ${arch}: expected ${Object.keys(TARGETS).join(' or ')}`);
const executable = options.executable ?? join(ROOT, 'dist', `edgewood-${target}`);
const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  version: string;
  description: string;
};
const version = options.version ?? manifest.version;
const out = options.out ?? join(ROOT, 'dist', `edgewood_${version}_${arch}.deb`);
const epoch = Number(
  execFileSync('git', ['-C', ROOT, 'log', '-1', '--format=%ct'], { encoding: 'utf8' }).trim(),
);

const tree = mkdtempSync(join(tmpdir(), 'edgewood-deb-'));
try {
  layOut(tree);
  for (const path of globSync('**/*', { cwd: tree })) lutimesSync(join(tree, path), epoch, epoch);
  mkdirSync(dirname(out), { recursive: true });
  const compression = options.fast ? ['-Zgzip', '-z1'] : ['-Zxz', '-z6'];
  execFileSync('dpkg-deb', ['--root-owner-group', ...compression, '--build', tree, out], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, SOURCE_DATE_EPOCH: String(epoch) },
  });
  console.log(`${relative(process.cwd(), out)}  ${(statSync(out).size / 1e6).toFixed(1)} MB`);
} finally {
  rmSync(tree, { recursive: true, force: true });
}

function layOut(root: string): void {
  chmodSync(root, 0o755);
  const put = (path: string, content: string | Buffer, mode = 0o644): void => {
    const file = join(root, path);
    mkdirSync(dirname(file), { recursive: true, mode: 0o755 });
    writeFileSync(file, content, { mode });
    chmodSync(file, mode);
  };
  mkdirSync(join(root, 'usr/bin'), { recursive: true });
  copyFileSync(executable, join(root, 'usr/bin/edgewood'));
  chmodSync(join(root, 'usr/bin/edgewood'), 0o755);
  put(`lib/systemd/system/${UNIT_NAME}`, unitFile(SHIPPED_UNIT));
  // Not a unit yet: of a fleet's hosts, one is the hub (docs/HUB.md).
  put(`usr/share/edgewood/${HUB_UNIT}`, readFileSync(join(ROOT, 'deploy', 'systemd', HUB_UNIT)));
  put('usr/lib/sysusers.d/edgewood.conf', sysusersFile(SHIPPED_UNIT.user));
  put(SHIPPED_UNIT.config, configurationTemplate([]));
  mkdirSync(join(root, CREDENTIALS_DIR), { recursive: true });
  chmodSync(join(root, CREDENTIALS_DIR), 0o700);
  put('usr/share/man/man1/edgewood.1.gz', zipped(manualPage(version, new Date(epoch * 1000))));
  put('usr/share/doc/edgewood/copyright', copyright());
  put('usr/share/doc/edgewood/changelog.gz', zipped(changelog()));
  put('usr/share/lintian/overrides/edgewood', script('lintian-overrides'));
  const installed = globSync('{usr,lib,etc}/**/*', { cwd: root })
    .filter((path) => statSync(join(root, path)).isFile())
    .reduce((bytes, path) => bytes + statSync(join(root, path)).size, 0);
  put('DEBIAN/control', control(Math.ceil(installed / 1024)));
  put('DEBIAN/conffiles', `${SHIPPED_UNIT.config}\n`);
  for (const name of SCRIPTS) put(`DEBIAN/${name}`, script(name), 0o755);
  put('DEBIAN/md5sums', sums(root));
}

function zipped(content: string | Buffer): Buffer {
  const bytes = gzipSync(content, { level: 9 });
  // The header's system byte differs between builds of zlib.
  bytes[9] = 3;
  return bytes;
}

function script(name: string): string {
  return readFileSync(join(ROOT, 'deploy', 'debian', name), 'utf8').replaceAll('@VERSION@', version);
}

/** Debian's packages of the libraries that the executable names. */
function dependencies(): string[] {
  const bytes = readFileSync(executable);
  // The SQLite addon lies within, where no tool of Debian's finds it.
  const addon = readFileSync(join(ROOT, 'node_modules', 'better-sqlite3', 'prebuilds', `${target}.node`));
  const glibc = highestVersion('GLIBC', [neededVersions(bytes), neededVersions(addon)]);
  const packages = neededLibraries(bytes).map((library) => {
    if (/^(ld-linux.*|lib(c|m|dl|pthread|rt))\.so\.\d+$/.test(library)) return `libc6 (>= ${glibc})`;
    const name = LIBRARY_PACKAGES[library];
    if (name === undefined) throw new Error(`which Debian package holds ${library}?`);
    return name;
  });
  return [...new Set(packages)].sort();
}

function control(installedKilobytes: number): string {
  return `Package: edgewood
Version: ${version}
Architecture: ${arch}
Maintainer: ${MAINTAINER}
Installed-Size: ${installedKilobytes}
Depends: ${dependencies().join(', ')}, systemd (>= 250)
Section: admin
Priority: optional
Description: watches this host from the host itself
 Samples CPU, memory, network and disks, scores every sample with an embedded
 isolation forest that learns what is normal here, and raises few and
 well-explained alerts over MQTT, InfluxDB and webhooks. One executable,
 everything durable in SQLite, no server needed.
`;
}

function changelog(): string {
  const date = new Date(epoch * 1000).toUTCString().replace('GMT', '+0000');
  return `edgewood (${version}) unstable; urgency=medium\n\n  * See CHANGELOG.md of the project.\n\n -- ${MAINTAINER}  ${date}\n`;
}

function copyright(): string {
  return `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: edgewood

Files: *
Copyright: 2026 the edgewood authors
License: Apache-2.0
 On Debian systems the full text is in /usr/share/common-licenses/Apache-2.0.
 .
 The executable holds Node.js, V8, OpenSSL, SQLite and others: their licences
 are printed by "edgewood --licences".
`;
}

function sums(root: string): string {
  const files = globSync('{usr,lib}/**/*', { cwd: root })
    .filter((path) => statSync(join(root, path)).isFile())
    .sort();
  return execFileSync('md5sum', files, { cwd: root, encoding: 'utf8' });
}
