"""The channels that may publish events: code, names, and the form of their serials."""

from dataclasses import dataclass
from enum import IntEnum


class SerialForm(IntEnum):
    """How a channel writes the serial of an event. The numbers are those of ``record_layout.h``."""

    digits = 1
    uuid = 2
    ascii = 3


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel. ``code`` is from 1 to 255. It publishes payments, or bills, or ledger events."""

    code: int
    name: str
    chinese_name: str
    serial_form: SerialForm
    issues_bills: bool = False
    publishes_ledger_events: bool = False

    @property
    def publishes(self) -> str:
        """The kind of event that the channel publishes, for a person."""
        return "ledger events" if self.publishes_ledger_events else "bill" if self.issues_bills else "payment"


BUILT_IN_CHANNELS: tuple[Channel, ...] = (
    Channel(1, "bank_card_debit", "银行卡扣", SerialForm.digits),
    Channel(2, "recharge_card", "电费充值卡", SerialForm.digits),
    Channel(3, "one_stop", "一站通", SerialForm.digits),
    Channel(4, "agency_outlet", "代收电费签约网点", SerialForm.digits),
    Channel(5, "business_hall", "供电营业厅", SerialForm.ascii),
    Channel(6, "citizen_card", "市民卡", SerialForm.digits),
    Channel(7, "unionpay_pos", "银联POS机", SerialForm.digits),
    Channel(8, "online_banking", "网上银行", SerialForm.digits),
    Channel(9, "phone_banking", "电话银行", SerialForm.digits),
    Channel(10, "atm", "银行自助终端", SerialForm.digits),
    Channel(11, "self_service_kiosk", "营业厅自助缴费机", SerialForm.ascii),
    Channel(12, "digital_tv", "数字电视", SerialForm.digits),
    Channel(13, "alipay", "支付宝", SerialForm.digits),
    Channel(14, "postal_station", "村邮站", SerialForm.uuid),
    Channel(100, "billing", "电费账单", SerialForm.digits, issues_bills=True),
    Channel(101, "ledger", "总账", SerialForm.ascii, publishes_ledger_events=True),
)
