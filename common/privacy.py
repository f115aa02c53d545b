"""Personal data for readers outside the parties (`domain.md` 3.0, design decision 12)."""


def mask_phone(phone: str) -> str:
    """13812340000 → 138****0000; too short a number shows nothing of itself."""
    return f"{phone[:3]}****{phone[-4:]}" if len(phone) >= 9 else "****" if phone else ""


def mask_name(name: str) -> str:
    """张三 → 张*"""
    return f"{name[:1]}*" if name else ""


def mask_email(email: str) -> str:
    """someone@example.org → s***@example.org"""
    name, _at, host = email.partition("@")
    return f"{name[:1]}***@{host}" if email else ""


def mask_organization(name: str) -> str:
    """演示减速器有限公司 → 演示***"""
    return f"{name[:2]}***" if name else ""
