from credentials.views.connect import auth_connect

__all__ = ["auth_connect"]
