import { readFileSync } from "node:fs";
import { join } from "node:path";
import { byPath } from "../requests.ts";
import { inBody, type Running, type Subject } from "../subject.ts";
import { startNginx } from "./nginx.ts";
import { type Persistence, persistence, startRedis } from "./redis.ts";

const LUA = readFileSync(join(import.meta.dirname, "..", "peers", "sessions.lua"), "utf8");

/** A session service of nginx, Lua and Redis. It shows the speed that is possible without a JavaScript runtime. */
export function nginxLua(kept: Persistence): Subject {
  return {
    name: `nginx-lua${persistence[kept].suffix}`,
    title: `nginx + Lua + Redis, ${persistence[kept].title}`,
    group: "peers",
    durable: persistence[kept].durable,
    requests: byPath,
    ticket: inBody,
    operations: ["retrieve", "create-anonymous", "create-with-ids", "associate"],
    start: () => startNginxLua(kept),
  };
}

async function startNginxLua(kept: Persistence): Promise<Running> {
  const redis = await startRedis(kept);
  const nginx = await startLuaOver(redis.port);
  const close = async () => {
    await nginx.close();
    await redis.close();
  };
  return { ...nginx, pids: [...nginx.pids, redis.pid], close };
}

/** Starts the service of nginx and Lua on a Redis that other subjects use too. */
export function startLuaOver(port: number): Promise<Running> {
  return startNginx({
    modules: ["ndk_http_module.so", "ngx_http_lua_module.so"],
    http: 'lua_package_path "{folder}/?.lua;/usr/share/lua/5.1/?.lua;;";',
    server: `
    underscores_in_headers on;
    set $redis_port ${port};
    location = /sessions/new { content_by_lua_block { require("sessions").create() } }
    location ~ ^/sessions/(?<id>[^/]+)$ {
      content_by_lua_block {
        local sessions = require("sessions")
        if ngx.req.get_method() == "GET" then sessions.retrieve(ngx.var.id)
        else sessions.associate(ngx.var.id) end
      }
    }`,
    files: { "sessions.lua": LUA },
  });
}
