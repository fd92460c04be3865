from django.urls import path

from accounts.views import profile, signing_in

app_name = "accounts"
urlpatterns = [
    path("login/", signing_in.sign_in, name="sign_in"),
    path("logout/", signing_in.sign_out, name="sign_out"),
    path("profile/", profile.profile, name="profile"),
    path("profile/password/", profile.password, name="password"),
]
