import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort, SERVER_CORE, start, temporaryFolder } from "../processes.ts";
import type { Running } from "../subject.ts";
import { reachable } from "./redis.ts";

/** The folder in which Debian's packages install the modules of nginx. */
const MODULES = "/usr/lib/nginx/modules";

type NginxOptions = {
  /** File names of the modules to load. */
  modules?: string[];
  /** Directives for the http block. */
  http?: string;
  /** Directives for the server block. `{folder}` stands for the folder of this nginx. */
  server: string;
  /** Files to create in the folder of this nginx, with their contents. */
  files?: Record<string, string>;
};

/** Starts nginx with one worker, on the core for measured processes. All its files are in one folder. */
export async function startNginx(options: NginxOptions): Promise<Running> {
  const folder = temporaryFolder();
  const port = await freePort();
  for (const [name, text] of Object.entries(options.files ?? {})) {
    writeFileSync(join(folder.path, name), text);
  }
  const file = join(folder.path, "nginx.conf");
  writeFileSync(file, configuration(port, options).replaceAll("{folder}", folder.path));
  const nginx = await start("nginx", ["-c", file, "-p", folder.path, "-e", "stderr"], {
    cores: [SERVER_CORE],
  });
  const close = async () => {
    await nginx.close();
    folder.remove();
  };
  try {
    await reachable(port);
  } catch (error) {
    await close();
    throw error;
  }
  return { url: `http://127.0.0.1:${port}`, pids: [nginx.pid], close };
}

function configuration(port: number, { modules = [], http = "", server }: NginxOptions): string {
  // If root starts nginx without this directive, the workers run as a user who cannot write to the folder.
  const user = process.getuid?.() === 0 ? "user root;" : "";
  return `
${modules.map((name) => `load_module ${MODULES}/${name};`).join("\n")}
${user}
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr error;
events { worker_connections 1024; }
http {
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  keepalive_requests 1000000000;
  keepalive_timeout 1h;
  ${http}
  server {
    listen 127.0.0.1:${port} backlog=1024;
    ${server}
  }
}
`;
}
