// src/routes/api/me/+server.ts
import { json } from "@sveltejs/kit";

export const GET = ({ locals }) => json({ customer: locals.session?.customerId ?? null });
