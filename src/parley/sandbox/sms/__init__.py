"""Stand-ins of the SMS providers: their HTTP APIs, one box of messages behind them, and the page that shows it.

Below `/sms/smsru`, `/sms/smsc` and `/sms/twilio` as the providers have them; the control API below `/control/sms`.
"""
