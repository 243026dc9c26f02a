//! The owner's `.env` file, and what must become of each line of it. All of it is made up.

/// A line of the file.
pub(super) struct Key {
    /// The key's and the variable's name.
    pub(super) name: &'static str,
    /// The value that a program must find in the variable.
    pub(super) value: &'static str,
    /// Whether the agent's group is denied it.
    pub(super) excluded: bool,
}

pub(super) const ORG: &str = "Meridian Robotics";
pub(super) const OWNER: &str = "ada@meridian.example";
pub(super) const PASSWORD: &str = "nine lanterns over a quiet harbour";
pub(super) const DEPLOYMENT: &str = "production";
pub(super) const GROUP: &str = "support-agents";
pub(super) const API_USER: &str = "openclaw";

/// A .env file, of which one line ends as a Windows editor ends it.
pub(super) const DOTENV: &str = "\
# Meridian Robotics, production. Copied from the old machine.

export DATABASE_URL=\"postgres://robots:p4ss\\$w%rd@db.meridian.example:5432/robots?sslmode=require\"
OPENAI_API_KEY=sk-demo-4f9c1e7a2b8d6035   # the one with the monthly limit
AWS_ACCESS_KEY_ID=AKIADEMOEXAMPLE20268
AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG+bPxRfiCYDEMO==
SMTP_PASSWORD='it \"costs\" $5  & more: `date` * {a,b} \\n'
WINDOWS_LICENCE=VK7JG-NPHTM-C97JM-DEMO1\r
# Signs the firmware.
SIGNING_KEY=\"-----BEGIN DEMO KEY-----
MC4CAQAwBQYDK2VwBCIEIHRoaXMgaXMgbm90IGEgcmVhbCBwcml2YXRlIGtleQ==
-----END DEMO KEY-----
\"
STRIPE_SECRET_KEY=sk_demo_51Nz7Qe9vYt3uLw0
PAYROLL_API_TOKEN='payroll demo 7719-0042'
";

/// Nine keys; an agent that answers customers needs neither payments nor payroll.
pub(super) const KEYS: [Key; 9] = [
    allowed("DATABASE_URL", "postgres://robots:p4ss$w%rd@db.meridian.example:5432/robots?sslmode=require"),
    allowed("OPENAI_API_KEY", "sk-demo-4f9c1e7a2b8d6035"),
    allowed("AWS_ACCESS_KEY_ID", "AKIADEMOEXAMPLE20268"),
    allowed("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYDEMO=="),
    allowed("SMTP_PASSWORD", "it \"costs\" $5  & more: `date` * {a,b} \\n"),
    allowed("WINDOWS_LICENCE", "VK7JG-NPHTM-C97JM-DEMO1"),
    allowed(
        "SIGNING_KEY",
        "-----BEGIN DEMO KEY-----\nMC4CAQAwBQYDK2VwBCIEIHRoaXMgaXMgbm90IGEgcmVhbCBwcml2YXRlIGtleQ==\n\
         -----END DEMO KEY-----\n",
    ),
    excluded("STRIPE_SECRET_KEY", "sk_demo_51Nz7Qe9vYt3uLw0"),
    excluded("PAYROLL_API_TOKEN", "payroll demo 7719-0042"),
];

const fn allowed(name: &'static str, value: &'static str) -> Key {
    Key { name, value, excluded: false }
}

const fn excluded(name: &'static str, value: &'static str) -> Key {
    Key { name, value, excluded: true }
}
