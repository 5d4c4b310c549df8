// src/app.d.ts
declare global {
  namespace App {
    interface Locals {
      session: import("@antechamber/client/sveltekit").RequestSession | null;
    }
  }
}

export {};
