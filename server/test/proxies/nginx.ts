// needs: nginx

import type { ProxyProgram } from "./proxy-process.ts";

/** A complete nginx.conf, as a distribution has it, that includes the example. */
const nginxFrame = `
${process.getuid?.() === 0 ? "user root;" : ""}
worker_processes 1;
pid nginx.pid;
error_log stderr info;
events {}
http {
  access_log off;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  include antechamber.conf;
}
`;

/** nginx in the foreground, with all its files in one folder. */
export const nginx: ProxyProgram = {
  example: "nginx",
  main: { name: "nginx.conf", text: nginxFrame },
  command: (folder) => ["nginx", ...["-c", `${folder}/nginx.conf`, "-p", folder, "-e", "stderr", "-g", "daemon off;"]],
};
